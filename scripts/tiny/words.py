"""WordNet: the nouns worth knowing, and random cuts of the hypernym tree above ImageNet's classes."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path

WORDNET = Path("/usr/share/wordnet")
# Lexicographer files of nouns that can be seen: act 4, animal 5, artifact 6, body 8, event 11, food 13,
# object 17, person 18, phenomenon 19, plant 20, shape 25, substance 27; the rest only if often used.
VISIBLE = {4, 5, 6, 8, 11, 13, 17, 18, 19, 20, 25, 27}
THINGS = {5, 6, 8, 13, 17, 20}  # what a photo is usually of


@dataclass
class Synset:
    """One meaning of a noun: its words, how often they mean it, and what it is a kind of."""

    words: list[str]
    counts: list[int]
    lexfile: int
    parents: list[str]
    children: list[str] = field(default_factory=list)


def read_nouns(folder: Path = WORDNET) -> dict[str, Synset]:
    """All noun synsets of WordNet 3.0 by their id ("n" and the offset, as ImageNet writes it)."""
    counts: dict[str, int] = {}
    for line in (folder / "cntlist.rev").read_text().splitlines():
        key, _, count = line.split()
        counts[key.rsplit(":", 2)[0]] = int(count)
    nouns: dict[str, Synset] = {}
    for line in (folder / "data.noun").read_text().splitlines():
        if line.startswith(" "):
            continue
        fields = line.split(" | ")[0].split()
        many = int(fields[3], 16)
        words, seen = [], []
        for i in range(many):
            word, lex_id = fields[4 + 2 * i], int(fields[5 + 2 * i], 16)
            seen.append(counts.get(f"{word.lower()}%1:{int(fields[1]):02d}:{lex_id:02d}", 0))
            words.append(word.replace("_", " "))
        pointers = fields[5 + 2 * many :]
        parents = [
            "n" + pointers[i + 1]
            for i in range(0, len(pointers), 4)
            if pointers[i] in ("@", "@i") and pointers[i + 2] == "n"
        ]
        nouns["n" + fields[0]] = Synset(words, seen, int(fields[1]), parents)
    return nouns


def common_words(nouns: dict[str, Synset], limit: int) -> list[str]:
    """Words worth knowing, most often used first; those that can be seen before those that cannot."""
    score: dict[str, float] = {}
    for synset in nouns.values():
        for place, (word, count) in enumerate(zip(synset.words, synset.counts, strict=True)):
            if any(letter.isdigit() for letter in word) or len(word) > 32:
                continue
            gain = 10.0 * count + (5.0 if synset.lexfile in VISIBLE else 0.0) - word.count(" ") - place
            gain -= 4.0 if word[:1].isupper() else 0.0
            score[word.lower()] = max(score.get(word.lower(), -100.0), gain)
    return sorted(score, key=lambda word: (-score[word], word))[:limit]


@dataclass
class Tree:
    """The part of WordNet above the ImageNet classes, as a tree.

    Args:
        leaves: Id of each class, in ImageNet's order.
        children: Ids below each inner node.
        names: Words of each node.
        under: Indices of the classes at or below each node.
        root: The node above all others.
    """

    leaves: list[str]
    children: dict[str, list[str]]
    names: dict[str, list[str]]
    under: dict[str, list[int]]
    root: str = "n00001740"

    def cut(self, draws: random.Random) -> list[str]:
        """Nodes that together cover every class once, none with many more classes than a size drawn first.

        The size is drawn evenly on a logarithmic scale, so that "truck" (7 classes) and "dog" (118) are
        asked for about as often as each other, however deep they lie.
        """
        size = 200 ** draws.random()
        chosen: list[str] = []
        waiting = [self.root]
        while waiting:
            node = waiting.pop()
            below = self.children.get(node, [])
            share = len(self.under[node])
            if below and share > size * 2 ** draws.gauss(0, 0.6):
                waiting += below
            else:
                chosen.append(node)
        return chosen


def hypernym_tree(nouns: dict[str, Synset], leaves: list[str], labels: list[list[str]]) -> Tree:
    """The tree over ImageNet's classes; of several parents the one with most classes below it is kept.

    Args:
        nouns: All synsets.
        leaves: Id of each class.
        labels: Further names of each class, put before WordNet's.
    """
    reach: dict[str, set[str]] = {}
    for leaf in leaves:
        stack = [leaf]
        while stack:
            node = stack.pop()
            if leaf not in reach.setdefault(node, set()):
                reach[node].add(leaf)
                stack += nouns[node].parents
    index = {leaf: number for number, leaf in enumerate(leaves)}
    children: dict[str, list[str]] = {}
    for node in sorted(reach):
        if nouns[node].parents:
            parent = max(nouns[node].parents, key=lambda p: (len(reach[p]) < 400, len(reach[p]), p))
            children.setdefault(parent, []).append(node)
    under: dict[str, list[int]] = {}

    def collect(node: str) -> list[int]:
        found = [index[node]] if node in index else []
        for child in children.get(node, []):
            found += collect(child)
        under[node] = found
        return found

    collect(Tree.root)
    names = {node: usual_words(nouns[node]) for node in under}
    for leaf, extra in zip(leaves, labels, strict=True):
        names[leaf] = list(dict.fromkeys([*extra, *names[leaf]]))
    # A class with classes below it would be counted twice: its own share becomes a child of its own.
    for leaf in [leaf for leaf in leaves if children.get(leaf)]:
        own = leaf + "-own"
        children[leaf].append(own)
        names[own], under[own] = names[leaf], [index[leaf]]
    return Tree(leaves, children, names, under)


def usual_words(synset: Synset) -> list[str]:
    """Words of a synset, without Latin names and without words that seldom mean it."""
    words = [word for word in synset.words if not (" " in word and word[:1].isupper() and word[1:].islower())]
    return [word.lower() for word in (words or synset.words)[:3]]


def senses(nouns: dict[str, Synset], tree: Tree) -> dict[str, str]:
    """The synset that each word means: ImageNet's where it is the first name of a class, else the commonest visible."""
    best: dict[str, tuple[float, str]] = {}
    for node, synset in nouns.items():
        for word, count in zip(synset.words, synset.counts, strict=True):
            rank = count + (3.0 if synset.lexfile in VISIBLE else 0.0)
            if word.lower() not in best or rank > best[word.lower()][0]:
                best[word.lower()] = (rank, node)
    found = {word: node for word, (_, node) in best.items()}
    for node, names in tree.names.items():
        if node in nouns:
            for place, name in enumerate(names):
                if name not in found or (place == 0 and node in tree.leaves):
                    found[name] = node
    return found


def read_glosses(folder: Path = WORDNET) -> dict[str, str]:
    """What WordNet says that each noun synset means, without the examples of its use."""
    found = {}
    for line in (folder / "data.noun").read_text().splitlines():
        if not line.startswith(" "):
            head, _, gloss = line.partition(" | ")
            found["n" + head.split()[0]] = gloss.split('; "')[0].strip(" ;")[:160]
    return found
