// Only a convenience: shows a button that copies a file's path. The page reads the same without it.
for (const button of document.querySelectorAll("button.copy")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const path = button.previousElementSibling;
    try {
      await navigator.clipboard.writeText(path.textContent);
      button.textContent = "copied";
    } catch {
      getSelection().selectAllChildren(path);
      button.textContent = "press Ctrl+C";
    }
    setTimeout(() => { button.textContent = "copy"; }, 1500);
  });
}
