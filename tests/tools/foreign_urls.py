"""URLs that a page or a redirect may name and that no crawl of the archive requests."""

#: URLs of other hosts, ports and schemes.
FOREIGN_URLS = [
    "file:///etc/passwd",
    "ftp://img.timeinc.net/a.jpg",
    "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7",
    "s3://bucket/a.jpg",
    "http://127.0.0.1/a.jpg",
    "http://localhost/a.jpg",
    "http://[::1]/a.jpg",
    "http://169.254.169.254/latest/meta-data/",
    "http://10.0.0.1/a.jpg",
    "http://2130706433/a.jpg",
    "http://img.timeinc.net:22/a.jpg",
    "http://img.timeinc.net.elsewhere.example/a.jpg",
    "http://img.timeinc.net@elsewhere.example/a.jpg",
    "http://elsewhere.img.timeinc.net/a.jpg",
    "http://.img.timeinc.net/a.jpg",
    "http://me:secret@img.timeinc.net/a.jpg",
    "http://\u2665:secret@img.timeinc.net/a.jpg",
    "//elsewhere.example/a.jpg",
]
#: Texts that are no URL of a page.
INVALID_URLS = ["javascript:void(0)", "mailto:editor@time.com", "http://[", "http://img.timeinc.net:99999/a.jpg"]
