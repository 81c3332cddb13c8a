"""deploy/kubernetes: images, commands, settings, mounts and accounts are those that the project has."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.settings import Settings
from contracts_tests.fixtures import kubernetes, kubernetes_schemas, pages, shell_commands
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.kubernetes import Document, Pod

PAGE = "docs/how-to/kubernetes.md"
DOCKERFILE = (CLONE / "deploy" / "Dockerfile").read_text()
CONTRACTS = loading.load(CLONE / "schemas").contracts
# Secrets that operators write: Strimzi, K8ssandra and CloudNativePG, as their documentation says.
BY_OPERATORS = {
    *(("pipeline-register", "password"), ("pipeline-producer", "password"), ("pipeline-stream", "password")),
    *(("events-cluster-ca-cert", "ca.crt"), ("wide-pipeline", "username"), ("wide-pipeline", "password")),
    *(("rows-app", "uri"), ("rows-ca", "ca.crt")),
}


def test_image_is_ours_and_overlays_name_its_version(objects: list[Document], pods: list[Pod]):
    for pod in pods:
        repository, _, tag = pod.container["image"].partition(":")
        assert repository.endswith("avro-data-contracts/pipeline")
        assert " AS pipeline\n" in DOCKERFILE
        assert "command" not in pod.container, "the image has an entrypoint"
        if objects is not kubernetes.written():
            assert tag not in ("", "latest")


def test_commands_exist_and_name_existing_contracts(pods: list[Pod]):
    assert 'ENTRYPOINT ["python", "-m"]\n' in DOCKERFILE
    for pod in pods:
        words = pod.container["args"]
        assert shell_commands.complaint(["python", "-m", *words]) == ""
        assert words[0] == {"register": "contracts", "producer": "producers", "stream": "streaming"}[pod.step]
        if pod.step != "register":
            contract = words[words.index("--contract") + 1]
            assert contract in CONTRACTS
            assert pod.labels["contract"] == contract
        if pod.step == "producer":
            assert CONTRACTS[contract].spec.source


def test_variables_are_settings_and_have_valid_values(objects: list[Document], pods: list[Pod]):
    for pod in pods:
        found = pod.environment(objects)
        texts = [*pod.container["args"], *filter(None, found.values())]
        used = {name for text in texts for name in re.findall(r"\$\((\w+)\)", text)}
        names = set(found) - used
        assert {name.lower() for name in names} <= set(Settings.model_fields)
        # A secret value may be anything.
        Settings.model_validate({name.lower(): found[name] for name in names if found[name] is not None})
        assert used <= set(found)


def test_variable_names_only_those_before_it(pods: list[Pod]):
    """Kubernetes leaves `$(NAME)` as it is when NAME comes later."""
    for pod in pods:
        before: set[str] = set()
        for variable in pod.container["env"]:
            assert set(re.findall(r"\$\((\w+)\)", variable.get("value", ""))) <= before, variable
            before.add(variable["name"])
        assert len(before) == len(pod.container["env"])


def test_paths_in_settings_are_in_a_mount_of_the_right_kind(objects: list[Document], pods: list[Pod]):
    for pod in pods:
        found = pod.environment(objects)
        assert found["CONTRACTS_DIR"] == "/app/schemas"
        assert "COPY --chmod=755 schemas/ /app/schemas/\n" in DOCKERFILE
        for name in ("CHECKPOINT_DIR", "SPARK_LOCAL_DIRS", "SPARK_LOG_FILE") if pod.step == "stream" else ():
            path = Path(str(found[name]))
            volume = next(pod.mounts[str(each)] for each in (path, *path.parents) if str(each) in pod.mounts)
            kind = "persistentVolumeClaim" if name == "CHECKPOINT_DIR" else "emptyDir"
            assert kind in volume, name
        assert "emptyDir" in pod.mounts["/tmp"]
        volumes = {each["name"] for each in pod.spec["volumes"]}
        assert {each["name"] for each in pod.container["volumeMounts"]} == volumes


@pytest.mark.parametrize("overlay", kubernetes.OVERLAYS)
def test_authorities_that_settings_name_are_mounted(overlay: str):
    objects = kubernetes.rendered(overlay)
    for pod in kubernetes.pods(objects):
        volume = pod.mounts["/etc/authorities"]
        if "projected" in volume:
            sources = [source["secret"]["items"] for source in volume["projected"]["sources"]]
            files = {item["path"] for items in sources for item in items}
        else:
            files = set(kubernetes.one(objects, "ConfigMap", volume["configMap"]["name"])["data"])
        found = [value for value in pod.environment(objects).values() if value]
        named = {path for value in found for path in re.findall(r"/etc/authorities/([\w.]+)", value)}
        assert named
        assert named <= files


def test_each_step_has_an_account_of_its_own(pods: list[Pod]):
    """ADR 15: no account may do everything."""
    accounts: dict[str, set[str]] = {}
    for pod in pods:
        of_people = {name for name, key in pod.secrets if key != "ca.crt"}
        accounts.setdefault(pod.step, set()).update(of_people)
        assert of_people
    for step in kubernetes.STEPS:
        assert not accounts[step] & set().union(*(accounts[other] for other in kubernetes.STEPS if other != step))


def test_only_the_stream_has_the_accounts_of_the_stores(objects: list[Document], pods: list[Pod]):
    for pod in pods:
        stores = {"CASSANDRA_USERNAME", "CASSANDRA_PASSWORD", "POSTGRES_DSN"} & set(pod.environment(objects))
        assert len(stores) == (3 if pod.step == "stream" else 0)


@pytest.mark.parametrize("overlay", kubernetes.OVERLAYS)
def test_every_secret_is_made_or_written_by_an_operator(overlay: str):
    objects = kubernetes.rendered(overlay)
    made = {(each["metadata"]["name"], key) for each in objects if each["kind"] == "Secret" for key in each["data"]}
    users = {each["metadata"]["name"] for each in objects if each["kind"] == "KafkaUser"}
    wanted = set().union(*(pod.secrets for pod in kubernetes.pods(objects)))
    if overlay == "operators":
        assert wanted == BY_OPERATORS
        assert {name for name, _ in BY_OPERATORS if name.startswith("pipeline-")} == users
    else:
        assert wanted == made


def test_secure_overlay_documents_every_key_of_its_secrets():
    folder = kubernetes.FOLDER / "overlays" / "secure" / "accounts.example"
    wanted = {pod.step: {key for _, key in pod.secrets} for pod in kubernetes.pods(kubernetes.written())}
    for step in kubernetes.STEPS:
        lines = [line for line in (folder / f"{step}.env").read_text().splitlines() if not line.startswith("#")]
        told = dict(line.split("=", 1) for line in lines)
        assert set(told) == wanted[step]
        assert {value for name, value in told.items() if name.endswith("PASSWORD")} == {"replace-me"}
        Settings.model_validate({name.lower(): value for name, value in told.items()})
    assert {path.stem for path in folder.iterdir()} == set(kubernetes.STEPS)


def test_accounts_are_kept_out_of_git_and_of_images():
    files = [f"deploy/kubernetes/overlays/{overlay}/accounts/x.env" for overlay in (*kubernetes.OVERLAYS, "mine")]
    done = subprocess.run(["git", "check-ignore", *files], cwd=CLONE, capture_output=True, text=True)
    assert done.stdout.split() == files
    assert "\n!deploy/\ndeploy/kubernetes/\n" in (CLONE / ".dockerignore").read_text()


def test_missing_accounts_are_told_before_anything_is_applied(tmp_path: Path):
    copy = kubernetes.copied(tmp_path) / "overlays" / "secure"
    (copy / "accounts" / "stream.env").unlink()
    done = subprocess.run([*kubernetes.kustomize(), str(copy)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert "accounts/stream.env" in done.stderr


@pytest.mark.parametrize(
    ("file", "before", "after", "restarted"),
    [
        (
            "kustomization.yaml",
            "kafka.example.com:9094",
            "kafka.example.com:9095",
            {"producer", "register", "stream"},
        ),
        ("kustomization.yaml", 'newTag: "2026-11-30"', 'newTag: "2026-12-01"', {"producer", "register", "stream"}),
        ("accounts/ca.pem", "a certificate", "another", {"producer", "register", "stream"}),
        ("accounts/stream.env", "replace-me", "replaced", {"stream"}),
    ],
)
def test_change_starts_new_pods(
    tmp_path: Path,
    file: str,
    before: str,
    after: str,
    restarted: set[str],
):
    copy = kubernetes.copied(tmp_path) / "overlays" / "secure"
    text = (copy / file).read_text()
    assert before in text
    (copy / file).write_text(text.replace(before, after))
    old, new = kubernetes.pods(kubernetes.rendered("secure")), kubernetes.pods(kubernetes.render(copy))
    assert {pod.step for pod, other in zip(old, new, strict=True) if pod.spec != other.spec} == restarted


def test_contracts_of_the_page_reach_every_step(tmp_path: Path):
    """The page's own lines, behind those of an overlay."""
    [lines] = [block.text for block in pages.read(PAGE).blocks() if "name: contracts\n" in block.text]
    copy = kubernetes.copied(tmp_path) / "overlays" / "secure"
    kustomization, more = yaml.safe_load((copy / "kustomization.yaml").read_text()), yaml.safe_load(lines)
    [generator] = more["configMapGenerator"]
    for name in generator["files"]:
        (copy / name).parent.mkdir(exist_ok=True)
        (copy / name).write_text("what a contract says")
    for key, values in more.items():
        kustomization.setdefault(key, []).extend(values)
    (copy / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    objects = kubernetes.render(copy)
    found = kubernetes.pods(objects)
    assert {pod.step for pod in found} == set(kubernetes.STEPS)
    for pod in found:
        name = pod.mounts[kubernetes.in_common()["CONTRACTS_DIR"]]["configMap"]["name"]
        assert name.startswith("contracts-")
        files = kubernetes.one(objects, "ConfigMap", name)["data"]
        assert set(files) == {Path(file).name for file in generator["files"]}
    assert {each["kind"] for each in objects} >= {"StatefulSet", "CronJob", "Job"}
    assert not [words for each in objects for words in kubernetes_schemas.complaints(each)]
