# Runs inside the service kafka-roles: the registry's stand-in keeps its schemas in topics of its own.
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

FOUND = [
    (ResourceType.TOPIC, "kafkasql-", ResourcePatternType.PREFIXED),
    (ResourceType.TOPIC, "registry-events", ResourcePatternType.LITERAL),
    (ResourceType.GROUP, "*", ResourcePatternType.LITERAL),
]
client = AdminClient(
    {
        "bootstrap.servers": "broker:29092",
        "security.protocol": "SSL",
        "ssl.ca.location": "/certs/ca.pem",
        "ssl.certificate.location": "/certs/admin.crt",
        "ssl.key.location": "/certs/admin.key",
    }
)
wanted = [
    AclBinding(kind, name, pattern, "User:schema-registry", "*", AclOperation.ALL, AclPermissionType.ALLOW)
    for kind, name, pattern in FOUND
]
for future in client.create_acls(wanted).values():
    future.result(30)
