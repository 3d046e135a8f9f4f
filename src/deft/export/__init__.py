"""From verdicts and decisions to corrected data: folders, tables, other tools' formats, and patches of labels."""
