"""Plain output of commands, light enough for every one of them; `terminal` prints records with rich."""
