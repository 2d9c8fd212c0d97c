"""What PyKMIP says of its tables and of a KMIP server, as JSON on stdout."""

import json
import sys
import warnings

warnings.filterwarnings("ignore")

from kmip.core import enums
from kmip.core.attributes import CryptographicParameters, CustomAttribute, Name
from kmip.core.factories.attributes import AttributeFactory
from kmip.core.misc import KeyFormatType
from kmip.core.objects import Attribute, KeyBlock, KeyMaterial, KeyValue, TemplateAttribute
from kmip.core.objects import EncryptionKeyInformation, KeyWrappingSpecification
from kmip.core.attributes import CryptographicAlgorithm, CryptographicLength
from kmip.core.secrets import SymmetricKey
from kmip.services.kmip_client import KMIPProxy

TABLES = [
    "Tags", "Operation", "ResultStatus", "ResultReason", "ObjectType", "State", "QueryFunction",
    "CryptographicAlgorithm", "KeyFormatType", "WrappingMethod", "EncodingOption",
    "BlockCipherMode", "NameType", "LinkType", "RevocationReasonCode", "CryptographicUsageMask",
    "BatchErrorContinuationOption", "Types",
]


def tables():
    return {n: {m.name: m.value for m in getattr(enums, n)} for n in TABLES}


def outcome(result, **fields):
    if result.result_status.value != enums.ResultStatus.SUCCESS:
        return {"reason": result.result_reason.value.name, "message": str(result.result_message.value)}
    return {"reason": None, **fields}


def custom(name, value):
    return Attribute(
        attribute_name=Attribute.AttributeName(name), attribute_value=CustomAttribute(value)
    )


def talk(host, port, certificate, key, ca, minor):
    version = getattr(enums.KMIPVersion, "KMIP_1_%s" % minor)
    client = KMIPProxy(
        host=host, port=int(port), certfile=certificate, keyfile=key, ca_certs=ca,
        cert_reqs="CERT_REQUIRED", ssl_version="PROTOCOL_TLS", kmip_version=version,
        config="client",
    )
    client.open()
    said = {}
    versions = client.discover_versions()
    said["versions"] = [[v.major, v.minor] for v in versions.protocol_versions]
    query = client.query(query_functions=[
        enums.QueryFunction.QUERY_OPERATIONS,
        enums.QueryFunction.QUERY_OBJECTS,
        enums.QueryFunction.QUERY_SERVER_INFORMATION,
    ])
    said["operations"] = sorted(o.value for o in query.operations)
    said["vendor"] = query.vendor_identification
    factory = AttributeFactory()
    template = TemplateAttribute(attributes=[
        factory.create_attribute(
            enums.AttributeType.CRYPTOGRAPHIC_USAGE_MASK, [enums.CryptographicUsageMask.WRAP_KEY]
        ),
        custom("x-kcm-boot-id", "boot-of-pykmip"),
    ])
    block = KeyBlock(
        key_format_type=KeyFormatType(enums.KeyFormatType.RAW),
        key_value=KeyValue(KeyMaterial(bytes(range(32)))),
        cryptographic_algorithm=CryptographicAlgorithm(enums.CryptographicAlgorithm.AES),
        cryptographic_length=CryptographicLength(256),
    )
    registered = client.register(enums.ObjectType.SYMMETRIC_KEY, template, SymmetricKey(block))
    said["register"] = outcome(registered)
    kwk = registered.uuid
    name = factory.create_attribute(
        enums.AttributeType.NAME,
        Name.create("kcm/l3/billing/acme", enums.NameType.UNINTERPRETED_TEXT_STRING),
    )
    located = client.locate(maximum_items=2, attributes=[name])
    said["locate"] = outcome(located, uuids=located.uuids)
    got = client.get_attributes(kwk, ["State", "Cryptographic Usage Mask", "x-kcm-boot-id"])
    said["attributes"] = outcome(
        got, values={a.attribute_name.value: str(a.attribute_value) for a in got.attributes}
    )
    wrapping = KeyWrappingSpecification(
        wrapping_method=enums.WrappingMethod.ENCRYPT,
        encryption_key_information=EncryptionKeyInformation(
            unique_identifier=kwk,
            cryptographic_parameters=CryptographicParameters(
                block_cipher_mode=enums.BlockCipherMode.NIST_KEY_WRAP
            ),
        ),
    )
    said["get"] = outcome(client.get(located.uuids[0], key_wrapping_specification=wrapping))
    said["getKwk"] = outcome(client.get(kwk))
    said["create"] = outcome(client.create(enums.ObjectType.SYMMETRIC_KEY, template))
    said["destroyUnknown"] = outcome(client.destroy("nobody"))
    client.close()
    return said


if __name__ == "__main__":
    print(json.dumps(tables() if sys.argv[1] == "tables" else talk(*sys.argv[1:7])))
