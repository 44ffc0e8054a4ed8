"""Gather the packages of the GPU check: `python -m finetune.gpu_check.archive DIR`, in a checkout, with a network.

    DIR/packages.zip    the project and the packages of packages.txt, ready to be unpacked into a folder of the path
    DIR/gpu-check.sh    the script

The packages are for Python 3.12 on x86-64. What the check never opens is left out: bitsandbytes' kernels for other
versions of CUDA are nine tenths of its wheel. The rest is compressed anew: a wheel's own form takes a quarter more.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path
from zipfile import ZIP_LZMA, ZipFile

import click

from finetune import fail
from finetune.kaggle.wheelhouse import ROOT, download, pinned_versions, read_lines
from harness.errors import HarnessError
from reference.files import write_atomically

LIMIT_MIB = 60
CUDA = ("13.0",)
"""Versions of CUDA whose kernels are kept: that of the machine's torch."""
NEVER_OPENED = re.compile(
    r"/tests/|\.(pyi|h|pyx|pxd)$|^zstandard/_cffi|^zstandard/backend_cffi|^bitsandbytes/libbitsandbytes_(?!cpu|cuda)"
)
KERNELS = re.compile(r"^bitsandbytes/libbitsandbytes_cuda(\d+)")
NAME = "packages.zip"


class ArchiveError(HarnessError):
    """Archive that could not be gathered, or would not do."""


def is_opened(entry: str, cuda: Iterable[str]) -> bool:
    """Return True if the check may open an entry of a wheel, where torch is built for one of these CUDA versions."""
    if kernels := KERNELS.match(entry):
        return kernels[1] in {version.replace(".", "") for version in cuda}
    return not NEVER_OPENED.search(entry)


def join_wheels(wheels: Sequence[Path], archive: Path, cuda: Sequence[str] = CUDA) -> None:
    """Write one zip file with what the check opens of wheels. Raises ArchiveError if no kernels are among it."""
    found = set()
    with ZipFile(archive, "w", ZIP_LZMA) as joined:
        for wheel in wheels:
            with ZipFile(wheel) as opened:
                for entry in opened.infolist():
                    if not entry.is_dir() and is_opened(entry.filename, cuda):
                        joined.writestr(entry, opened.read(entry), ZIP_LZMA)
                        found.add(entry.filename)
    if not any(map(KERNELS.match, found)):
        raise ArchiveError(f"bitsandbytes has no kernels for CUDA {', '.join(cuda)}; name another version with --cuda")


def gather(folder: Path, cuda: Sequence[str] = CUDA) -> Path:
    """Write archive and script to `folder`; return the archive. Raises ArchiveError if it is larger than LIMIT_MIB."""
    folder.mkdir(parents=True, exist_ok=True)
    names = read_lines(resources.files("finetune.gpu_check").joinpath("packages.txt").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as scratch:
        download(Path(scratch), pinned_versions(names))
        wheels = sorted(Path(scratch).glob("*.whl"))
        write_atomically(folder / NAME, lambda path: join_wheels(wheels, path, cuda))
    shutil.copy(ROOT / "finetune" / "runs" / "gpu-check.sh", folder)
    if (size := (folder / NAME).stat().st_size / (1 << 20)) > LIMIT_MIB:
        remedy = "keep the kernels of one CUDA version (--cuda)"
        raise ArchiveError(f"{folder / NAME}: {size:.1f} MiB, more than {LIMIT_MIB}; {remedy}")
    return folder / NAME


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--cuda", multiple=True, default=CUDA, show_default=True, help="CUDA version of the machine's torch.")
def main(folder: Path, cuda: tuple[str, ...]) -> None:
    """Gather in FOLDER what the GPU check needs: the packages in one file, and the script.

    Example: python -m finetune.gpu_check.archive build/gpu-check --cuda 13.0
    """
    try:
        archive = gather(folder, cuda)
    except HarnessError as error:
        fail(error)
    click.echo(f"{archive}: {archive.stat().st_size / (1 << 20):.1f} MiB; copy {folder} to the machine, then there:")
    click.echo(f"  bash {folder.name}/gpu-check.sh")


if __name__ == "__main__":
    main()
