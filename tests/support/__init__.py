"""What tests share: worlds by hand and by chance, an oracle written from the definitions, pages in a browser."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
GOLD = ROOT / "tests" / "gold"
