"""Docker's filters: which containers, networks, volumes, images and events a mapping of filters selects. Pure, a noun a module.

Words: the values of one filter are alternatives, the filters add up; ``label`` is the exception, all its values must hold, and of
``label!`` none. Source: moby daemon/list.go, daemon/network/filter.go, volume/service/convert.go, daemon/events/filter.go; API v1.47.
"""
