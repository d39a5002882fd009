"""A project's defaults, and what the tutorial set."""

BOT_NAME = "tutorial"
SPIDER_MODULES = ["tutorial.spiders"]
ITEM_PIPELINES = {"scrapy.pipelines.files.FilesPipeline": 1}
FILES_STORE = "output"
