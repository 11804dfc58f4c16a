"""`zen push`: code bundles and manifests go to the artifact store, where workers take them from."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zen_core.cli.context import CliContext, json_option
from zen_core.cli.output import print_json
from zen_core.contract.code_bundle import code_digest
from zen_core.contract.manifest import CODE_FILE, MANIFEST_FILE, PipelineManifest, read_manifest
from zen_core.errors import CodeError, UsageError, ZenError

if TYPE_CHECKING:
    from zen_metadata.artifacts.store import ArtifactStore


@dataclass(frozen=True, slots=True)
class PushedBundle:
    """One bundle, and whether it had to be uploaded or was there already."""

    folder: Path
    pipeline: str
    code_digest: str
    location: str
    uploaded: bool

    def to_json(self) -> dict[str, Any]:
        """The entry of `zen push --json`."""
        return {
            "folder": str(self.folder),
            "pipeline": self.pipeline,
            "code_digest": self.code_digest,
            "location": self.location,
            "uploaded": self.uploaded,
        }


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@json_option
@click.pass_obj
def push(context: CliContext, folder: Path, as_json: bool) -> None:
    """Upload the code bundles of compiled pipelines.

    DIR is what zen compile wrote to. Every bundle below it goes to the artifact store, under its digest:
    once, how often it is pushed. Nothing is uploaded unless all of them are what their manifests say.
    """
    from zen_core.contract.settings import without_credentials
    from zen_metadata.artifacts.store import ArtifactStore
    from zen_metadata.code_source import find_code_source, save_code_source

    settings = context.local_settings()
    artifacts = ArtifactStore(settings.artifact_url, allow_pickle=settings.allow_pickle)
    pushed = push_bundles(folder, artifacts)
    source = find_code_source(settings.root)
    for bundle in pushed:
        save_code_source(artifacts, bundle.code_digest, source)
    if as_json:
        print_json([bundle.to_json() for bundle in pushed])
        return
    for bundle in pushed:
        done = "uploaded" if bundle.uploaded else "already there"
        address = f"{without_credentials(settings.artifact_url).rstrip('/')}/{bundle.location}"
        click.echo(f"{bundle.pipeline}: {done}: {address}")


def push_bundles(folder: Path, artifacts: ArtifactStore) -> list[PushedBundle]:
    """Upload every bundle below `folder` that the artifact store does not hold, and the manifests beside them.

    Raises:
        UsageError: there is none.
        ManifestError, CodeError: manifests and bundles that do not belong together, all at once.
    """
    from zen_metadata.shim.code import bundle_location

    archives = sorted(folder.rglob(f"*.zen/{CODE_FILE}"))
    if not archives:
        raise UsageError(
            f"there is no code bundle below {folder}", hint="name the folder that 'zen compile --out' wrote to"
        )
    manifests, problems = [], []
    for archive in archives:
        try:
            manifest = read_manifest(archive.parent)
            _check(archive, manifest)
            manifests.append(manifest)
        except ZenError as error:
            problems.append(error)
    if problems:
        raise type(problems[0])(diagnostics=[item for error in problems for item in error.diagnostics])
    pushed = []
    for archive, manifest in zip(archives, manifests, strict=True):
        location = bundle_location(manifest.code_digest)
        missing = not artifacts.keep(location)
        if missing:
            artifacts.write_bytes(location, archive.read_bytes())
        push_manifest((archive.parent / MANIFEST_FILE).read_bytes(), artifacts)
        pushed.append(PushedBundle(archive.parent, manifest.pipeline, manifest.code_digest, location, missing))
    return pushed


def push_manifest(content: bytes, artifacts: ArtifactStore) -> None:
    """Upload a manifest under the digest of its bytes, for tasks that see no folder beside what was emitted."""
    from zen_metadata.shim.sidecar import manifest_location

    location = manifest_location(hashlib.sha256(content).hexdigest())
    artifacts.write_bytes(location, content)


def _check(archive: Path, manifest: PipelineManifest) -> None:
    try:
        with zipfile.ZipFile(archive) as bundle:
            found = code_digest({name: bundle.read(name) for name in bundle.namelist()})
    except (OSError, zipfile.BadZipFile) as error:
        raise CodeError(
            f"the code bundle cannot be read: {error}", where=str(archive), hint="compile the pipeline again"
        ) from error
    if found != manifest.code_digest:
        raise CodeError(
            "the code bundle is not the one that its manifest names",
            where=str(archive),
            why=f"its digest is {found[:19]}…, the manifest says {manifest.code_digest[:19]}…",
            hint="compile the pipeline again",
        )
