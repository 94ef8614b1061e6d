"""Checks a Compose file: each service has an image, and each volume, secret, file and dependency that it names exists."""
import pathlib
import sys

import yaml

path = pathlib.Path(sys.argv[1])
compose = yaml.safe_load(path.read_text())
services, problems = compose["services"], []
for name, service in services.items():
    if "image" not in service:
        problems.append(f"{name} has no image")
    for secret in service.get("secrets", []):
        if secret not in compose["secrets"]:
            problems.append(f"{name}: the secret {secret} is not defined")
    for value in service.get("environment", {}).values():
        secret = str(value).removeprefix("/run/secrets/")
        if secret != str(value) and secret not in service.get("secrets", []):
            problems.append(f"{name}: {value} is not mounted")
    for volume in service.get("volumes", []):
        source = volume.split(":")[0]
        exists = (path.parent / source).exists() if source.startswith(".") else source in compose["volumes"]
        if not exists:
            problems.append(f"{name}: the volume {source} does not exist")
    for dependency, condition in service.get("depends_on", {}).items():
        if dependency not in services:
            problems.append(f"{name} depends on {dependency}, which does not exist")
        elif condition["condition"] == "service_healthy" and "healthcheck" not in services[dependency]:
            problems.append(f"{name} waits for the health of {dependency}, which has no health check")
    build = service.get("build")
    if build and not (path.parent / build["context"] / build["dockerfile"]).exists():
        problems.append(f"{name}: {build['dockerfile']} does not exist")
sys.exit("\n".join(problems) or 0)
