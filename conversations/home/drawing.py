"""Small charts as inline SVG: bars, one an hour, each with its words for who points at it."""

from __future__ import annotations

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

WIDTH, HEIGHT, GAP = 240, 40, 2


def bars(values: list[float], about: str, unit: str) -> SafeString:
    """The newest on the right. A screen reader hears what it shows, the highest and the last."""
    top = max(values, default=0) or 1
    step = WIDTH / max(1, len(values))
    drawn = format_html_join(
        "",
        '<rect x="{}" y="{}" width="{}" height="{}"{}><title>{}</title></rect>',
        (
            (
                f"{n * step:.1f}",
                f"{HEIGHT - _height(value, top):.1f}",
                f"{step - GAP:.1f}",
                f"{_height(value, top):.1f}",
                "" if value else _EMPTY,
                f"{_ago(len(values) - n)}: {_short(value)} {unit}",
            )
            for n, value in enumerate(values)
        ),
    )
    words = f"{about}; at most {_short(max(values, default=0))} {unit}, in the last hour {_short(values[-1])} {unit}"
    return format_html(
        '<svg class="ea-chart" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>',
        WIDTH,
        HEIGHT,
        words,
        drawn,
    )


_EMPTY = format_html(' class="{}"', "ea-chart-none")


def _height(value: float, top: float) -> float:
    return max(1.0, HEIGHT * value / top) if value else 1.0


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:,.2g}"


def _ago(hours: int) -> str:
    return "the last hour" if hours == 1 else f"{hours - 1} to {hours} hours ago"
