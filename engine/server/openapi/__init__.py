"""The description of every route, written in types, and the OpenAPI document made from it and from the router."""
