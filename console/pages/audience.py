from console.site import Site


def register(site: Site) -> None: ...
