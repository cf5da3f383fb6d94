"""The web server: routes, interactions, operations, search, stores, intake, security, pages, command line."""
