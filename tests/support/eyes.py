"""How a screen is looked over: by axe for everybody who cannot see it, and by measure for everybody who can."""

from dataclasses import dataclass
from typing import Final

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

WCAG: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")

# What a person cannot reach: the page scrolls sideways, or a control lies outside of the screen or under another thing.
# What lies in a list that scrolls may be out of sight. Returns sentences.
_OUT_OF_REACH: Final = """
() => {
  const said = [];
  const wide = document.documentElement.scrollWidth - innerWidth;
  if (wide > 0) said.push(`the page is ${wide} px too wide`);
  const top = document.querySelector('dialog[open]') ?? document.body;
  const scrolls = (part) => {
    for (let up = part.parentElement; up; up = up.parentElement) {
      const how = getComputedStyle(up).overflowY;
      if ((how === 'auto' || how === 'scroll') && up.scrollHeight > up.clientHeight + 1) return true;
    }
    return document.documentElement.scrollHeight > innerHeight + 1;
  };
  for (const part of top.querySelectorAll('button, input, select, textarea, a[href], summary')) {
    const box = part.getBoundingClientRect();
    if (!part.checkVisibility({ checkVisibilityCSS: true }) || box.width < 2 || box.height < 2) continue;
    const name = (part.innerText || part.ariaLabel || part.id).trim().slice(0, 40).replace(/\\s+/g, ' ');
    for (let up = part.parentElement; up; up = up.parentElement) {
      const edge = up.getBoundingClientRect().right;
      if (['hidden', 'clip'].includes(getComputedStyle(up).overflowX) && box.right > edge + 1 && box.left < edge)
        said.push(`“${name}” is cut off at its right`);
    }
    const x = box.left + box.width / 2, y = box.top + box.height / 2;
    if (box.left < -1 || box.right > innerWidth + 1) said.push(`“${name}” sticks out at the side`);
    else if (y < 0 || y > innerHeight) {
      if (!scrolls(part)) said.push(`“${name}” is below the screen, which does not scroll`);
    } else {
      const seen = document.elementFromPoint(x, y);
      const same = seen && (part.contains(seen) || seen.contains(part) || seen.closest('label')?.contains(part));
      if (!same && !scrolls(part)) said.push(`“${name}” lies under ${seen?.outerHTML.slice(0, 60)}`);
    }
    const isBox = part.matches('button, a') && getComputedStyle(part).display !== 'inline';
    if (isBox && part.scrollWidth > part.clientWidth + 2) said.push(`the words of “${name}” do not fit`);
  }
  return said;
}
"""

_SMALLEST: Final = """
() => {
  const small = new Set();
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    const part = node.parentElement;
    if (!node.data.trim() || !part.checkVisibility()) continue;
    const px = parseFloat(getComputedStyle(part).fontSize);
    if (px < 11) small.add(`“${node.data.trim().slice(0, 30)}” is ${px} px`);
  }
  return [...small];
}
"""


# A character for which the machine has no letterform is drawn as the same box as any other.
_WITHOUT_FORM: Final = r"""
() => {
  const pad = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const drawn = (letter) => {
    pad.clearRect(0, 0, 60, 60);
    pad.font = `32px ${getComputedStyle(document.body).fontFamily}`;
    pad.fillText(letter, 8, 40);
    return pad.getImageData(0, 0, 60, 60).data.join();
  };
  const box = drawn('\u{10FFFE}');
  const letters = new Set([...document.body.innerText].filter((letter) => letter > '\u00ff'));
  return [...letters].filter((letter) => drawn(letter) === box).map((letter) => `“${letter}” is drawn as a box`);
}
"""


@dataclass(frozen=True, slots=True)
class Eyes:
    """For one page, in whatever state the story has brought it to."""

    page: Page

    async def barriers(self) -> list[str]:
        """What axe finds against WCAG 2.2 AA, one sentence a rule."""
        found = await Axe().run(self.page, options={"runOnly": list(WCAG), "resultTypes": ["violations"]})
        return [
            f"{rule['id']}: {rule['help']}: " + "; ".join(str(node["html"])[:120] for node in rule["nodes"][:3])
            for rule in found.response["violations"]
        ]

    async def out_of_reach(self) -> list[str]:
        """Controls that cannot be seen or pressed, and words that do not fit."""
        said: list[str] = await self.page.evaluate(_OUT_OF_REACH)
        return said

    async def hard_to_read(self) -> list[str]:
        """Words that are too small at arm's length, and signs that are no more than an empty box."""
        said: list[str] = await self.page.evaluate(_SMALLEST)
        said += await self.page.evaluate(_WITHOUT_FORM)
        return said
