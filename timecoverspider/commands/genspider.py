"""``scrapy genspider``: Scrapy's command, with the template ``covers`` of this project."""

from pathlib import Path

from scrapy.commands.genspider import Command as ScrapyGenspider

_TEMPLATES = Path(__file__).resolve().parent.parent / "templates" / "spiders"


class Command(ScrapyGenspider):
    """Scrapy's command. TEMPLATES_DIR would hide Scrapy's own templates."""

    def _find_template(self, template: str) -> Path | None:
        own = _TEMPLATES / f"{template}.tmpl"
        return own if own.exists() else super()._find_template(template)

    def _list_templates(self) -> None:
        super()._list_templates()
        for file in sorted(_TEMPLATES.glob("*.tmpl")):
            print(f"   {file.stem}")
