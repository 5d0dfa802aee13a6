"""Animations as files: GIF with Pillow, MP4 and WebM with the ffmpeg that the package imageio-ffmpeg brings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from actlab.errors import ActlabError, InvalidFunction
from actlab.files import replacing

if TYPE_CHECKING:
    from matplotlib.animation import AbstractMovieWriter

    from actlab.views.figures.snapshots import Animation

SUFFIXES = (".gif", ".mp4", ".webm")
# These players want even sizes and this layout of colours.
_EVEN = ["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-pix_fmt", "yuv420p"]


def save(animation: Animation, path: Path, writer: AbstractMovieWriter, dpi: float) -> Path:
    """Write an animation, under a temporary name first.

    Args:
        animation: see `actlab.views.figures.snapshots.animation`.
        path: a .gif, .mp4 or .webm file.
        writer: what `writer_for` gave for it.
        dpi: dots to an inch of the figure.

    Raises:
        ActlabError: the file cannot be written.
    """
    try:
        with replacing(path) as temporary:
            animation.save(str(temporary), writer=writer, dpi=dpi)
    except OSError as error:
        raise ActlabError(f"{path}: the animation cannot be written ({error.strerror or error}).") from None
    return path


def writer_for(path: Path, frames_per_second: float) -> AbstractMovieWriter:
    """What writes a file, by the ending of its name; asked for before anything is drawn.

    Args:
        path: a .gif, .mp4 or .webm file in a directory that is there.
        frames_per_second: of the file; GIF counts in hundredths of a second.

    Raises:
        InvalidFunction: another ending.
        ActlabError: no such directory, or ffmpeg is not installed.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InvalidFunction(f"{path}: the name must end in .gif, .mp4 or .webm.")
    if not path.parent.is_dir():
        raise ActlabError(f"{path}: the animation cannot be written (there is no directory {path.parent}).")
    import matplotlib as mpl
    from matplotlib.animation import FFMpegWriter, PillowWriter

    if path.suffix.lower() == ".gif":
        return PillowWriter(fps=round(frames_per_second))
    try:
        import imageio_ffmpeg
    except ImportError:
        raise ActlabError(
            f"{path.suffix} files need ffmpeg: pip install 'actlab[video]' brings it; .gif files need nothing more."
        ) from None
    mpl.rcParams["animation.ffmpeg_path"] = imageio_ffmpeg.get_ffmpeg_exe()
    codec = "libx264" if path.suffix.lower() == ".mp4" else "libvpx-vp9"
    return FFMpegWriter(fps=round(frames_per_second), codec=codec, extra_args=_EVEN)
