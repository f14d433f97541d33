"""`python -m scrapersky_cli` is `scrapersky`."""

from scrapersky_cli.main import main

main()
