"""/images and /commit."""

from __future__ import annotations

from composer.daemon.docker_api.progress import auth_of, told
from composer.daemon.request import Request
from composer.daemon.response import TAR, Answer, Response, empty, json_response, primed
from composer.daemon.router import Route
from composer.engine.errors import InvalidArgument, Unsupported
from composer.engine.interface import Engine


class ImageRoutes:
    def __init__(self, engine: Engine) -> None:
        self._images = engine.images
        self._containers = engine.containers

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/images/json", self.list),
            Route("POST", "/images/create", self.create),
            Route("POST", "/images/load", self.load),
            Route("GET", "/images/get", self.save),
            Route("GET", "/images/search", self.search),
            Route("POST", "/images/prune", self.prune, finishes=True),
            Route("GET", "/images/{name:path}/json", self.inspect),
            Route("GET", "/images/{name:path}/history", self.history),
            Route("GET", "/images/{name:path}/get", self.save),
            Route("POST", "/images/{name:path}/tag", self.tag, finishes=True),
            Route("POST", "/images/{name:path}/push", self.push),
            Route("DELETE", "/images/{name:path}", self.remove, finishes=True),
            Route("POST", "/commit", self.commit, finishes=True),
            Route("GET", "/distribution/{name:path}/json", self.distribution),
        ]

    async def list(self, request: Request) -> Answer:
        query = request.query
        filters = query.filters()
        if query.text("filter"):  # the old form of filters=reference
            filters.setdefault("reference", []).append(query.text("filter"))
        return json_response([one.to_wire() for one in await self._images.list(all=query.flag("all"), filters=filters)])

    async def create(self, request: Request) -> Answer:
        """Pull (``fromImage``) or import the body (``fromSrc=-``)."""
        query = request.query
        if source := query.text("fromSrc"):
            if source != "-":
                raise Unsupported("importing from a URL is not supported", hint="download it and send the tar as the body (fromSrc=-)")
            ref = joined(query.text("repo"), query.text("tag"))
            body = aiter(request.body)
            return await told(self._images.import_(body, ref, changes=query.all("changes"), message=query.text("message")))
        if not query.text("fromImage"):
            raise InvalidArgument("no image was named: fromImage is empty")
        ref = joined(query.text("fromImage"), query.text("tag"))
        return await told(self._images.pull(ref, platform=query.text("platform"), auth=auth_of(request)))

    async def load(self, request: Request) -> Answer:
        return await told(self._images.load(aiter(request.body)))

    async def save(self, request: Request) -> Answer:
        names = [request.params["name"]] if "name" in request.params else list(request.query.all("names"))
        if not names:
            raise InvalidArgument("no image was named: names is empty")
        return Response(200, await primed(self._images.save(names)), TAR)

    async def inspect(self, request: Request) -> Answer:
        return json_response((await self._images.inspect(request.params["name"])).to_wire())

    async def history(self, request: Request) -> Answer:
        return json_response([one.to_wire() for one in await self._images.history(request.params["name"])])

    async def tag(self, request: Request) -> Answer:
        await self._images.tag(request.params["name"], joined(request.query.text("repo"), request.query.text("tag")))
        return empty(201)

    async def push(self, request: Request) -> Answer:
        ref = joined(request.params["name"], request.query.text("tag"))
        return await told(self._images.push(ref, auth=auth_of(request)))

    async def remove(self, request: Request) -> Answer:
        query = request.query
        steps = await self._images.remove(request.params["name"], force=query.flag("force"), prune=not query.flag("noprune"))
        return json_response([{"Untagged": one.untagged} if one.untagged else {"Deleted": one.deleted} for one in steps])

    async def prune(self, request: Request) -> Answer:
        report = await self._images.prune(request.query.filters())
        gone = [{"Deleted" if name.startswith("sha256:") else "Untagged": name} for name in report.deleted]
        return json_response({"ImagesDeleted": gone, "SpaceReclaimed": report.space_reclaimed})

    async def search(self, request: Request) -> Answer:
        raise Unsupported("searching a registry is not supported")

    async def distribution(self, request: Request) -> Answer:
        return json_response((await self._images.distribution(request.params["name"], auth=auth_of(request))).to_wire())

    async def commit(self, request: Request) -> Answer:
        query = request.query
        if any((await request.object()).values()):
            raise Unsupported("a configuration in the body of a commit is not supported", hint="say it as changes=CMD ... and the like")
        image_id = await self._containers.commit(
            query.text("container"),
            repo=joined(query.text("repo"), query.text("tag")),
            comment=query.text("comment"),
            author=query.text("author"),
            pause=query.flag("pause", True),
            changes=query.all("changes"),
        )
        return json_response({"Id": image_id}, 201)


def joined(name: str, tag: str) -> str:
    """ "nginx", "1.25" -> "nginx:1.25"; a digest is joined by "@"; a name that has its own tag keeps it."""
    if not name or not tag or "@" in name:
        return name
    return f"{name}@{tag}" if tag.startswith("sha256:") else f"{name}:{tag}"
