"""The pictures of the replicas: a small film and a poster for each, the same figure in a colour of its own."""

import colorsys
import zlib
from pathlib import Path

from aiohttp import web

FOLDER = Path(__file__).parent / "media"
POSTER = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 180" role="img" aria-label="A replica">
<rect width="320" height="180" fill="{wall}"/><circle cx="160" cy="74" r="34" fill="{skin}"/>
<path d="M92 180c0-44 30-66 68-66s68 22 68 66z" fill="{cloth}"/></svg>"""


def routes() -> list[web.RouteDef]:
    return [web.get("/media/{id}.mp4", film), web.get("/media/{id}.svg", poster)]


async def film(request: web.Request) -> web.StreamResponse:
    """Answer with one of the films in the package."""
    films = sorted(FOLDER.glob("*.mp4"))
    return web.FileResponse(films[zlib.crc32(request.match_info["id"].encode()) % len(films)])


async def poster(request: web.Request) -> web.Response:
    """Answer with a drawn poster."""
    hue = zlib.crc32(request.match_info["id"].encode()) % 360 / 360
    text = POSTER.format(wall=_colour(hue, 0.88), skin=_colour(hue + 0.06, 0.7), cloth=_colour(hue, 0.42))
    return web.Response(text=text, content_type="image/svg+xml")


def _colour(hue: float, lightness: float) -> str:
    red, green, blue = colorsys.hls_to_rgb(hue % 1.0, lightness, 0.4)
    return f"#{int(red * 255):02x}{int(green * 255):02x}{int(blue * 255):02x}"
