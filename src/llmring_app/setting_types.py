"""The rules that values of settings keep."""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

# A description completes the sentence "LLMRING_X must be ...".
Environment: TypeAlias = Annotated[
    Literal["dev", "test", "prod"], Meta(description="dev, test or prod")
]
DatabaseUrl: TypeAlias = Annotated[
    str, Meta(description="a URL such as sqlite:///./llmring.db or postgresql://host/name")
]
SchemaName: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^(?!pg_)[a-z_][a-z0-9_]{0,62}$",
        description="lower-case letters, digits and _, and not start with pg_",
    ),
]
RedisUrl: TypeAlias = Annotated[
    Annotated[str, Meta(pattern=r"^(rediss?|unix)://\S+$")] | None,
    Meta(description="a redis://, rediss:// or unix:// URL"),
]
WebUrl: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^https?://[^\s/@?#]+[^\s@?#]*$",
        description="an http:// or https:// URL without user, query or fragment",
    ),
]
Origins: TypeAlias = Annotated[
    tuple[Annotated[str, Meta(pattern=r"^(\*|https?://[^\s/@,*]+)$")], ...],
    Meta(description="origins such as http://localhost:5173, by commas or as a JSON array"),
]
Auth: TypeAlias = Annotated[Literal["open", "keys"], Meta(description="open or keys")]
Flag: TypeAlias = Annotated[bool, Meta(description="true or false")]
Seconds: TypeAlias = Annotated[
    int, Meta(ge=0, le=31_536_000, description="whole seconds from 0 to 31536000, a year")
]
SomeSeconds: TypeAlias = Annotated[
    int, Meta(ge=1, le=3600, description="whole seconds from 1 to 3600, an hour")
]
Requests: TypeAlias = Annotated[
    int, Meta(ge=1, le=1_000_000, description="a whole number from 1 to 1000000")
]
Connections: TypeAlias = Annotated[
    int, Meta(ge=0, le=1000, description="a whole number from 0 to 1000")
]
SomeConnections: TypeAlias = Annotated[
    int, Meta(ge=1, le=1000, description="a whole number from 1 to 1000")
]
Bytes: TypeAlias = Annotated[
    int, Meta(ge=1024, le=2**30, description="a whole number of bytes from 1024 to 1073741824")
]
LogFormat: TypeAlias = Annotated[Literal["json", "text"] | None, Meta(description="json or text")]
LogLevel: TypeAlias = Annotated[
    Literal["debug", "info", "warning", "error"],
    Meta(description="debug, info, warning or error"),
]
Key: TypeAlias = Annotated[
    Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{43}=?$")] | None,
    Meta(description="32 bytes as base64url"),
]
KeyName: TypeAlias = Annotated[
    Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,64}$")] | None,
    Meta(description="1 to 64 letters, digits, dots, hyphens or underscores"),
]
LogName: TypeAlias = Annotated[
    Annotated[str, Meta(pattern=r"^[!-*,-~]{1,200}$")] | None,
    Meta(description="a name such as bills.example.com/log, without blanks and plus signs"),
]
Witnesses: TypeAlias = Annotated[
    tuple[Annotated[str, Meta(pattern=r"^https?://[^\s/@?#=]+[^\s@?#=]*=[^\s=]+$")], ...],
    Meta(max_length=16, description="at most 16 pairs URL=KEY of witnesses, by commas"),
]
FileName: TypeAlias = Annotated[
    Annotated[str, Meta(min_length=1)] | None, Meta(description="the name of a file")
]
Token: TypeAlias = Annotated[
    Annotated[str, Meta(pattern=r"^[!-~]{16,256}$")] | None,
    Meta(description="16 to 256 visible ASCII characters"),
]
EncryptionKeys: TypeAlias = Annotated[
    Annotated[str, Meta(pattern=r"^[A-Za-z0-9+/_-]{43}=?(,[A-Za-z0-9+/_-]{43}=?){0,15}$")] | None,
    Meta(description="32 bytes as base64, or several such keys by commas, the one in force first"),
]
