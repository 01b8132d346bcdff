"""Receipts: signed claims about single calls, which anybody can check."""

from llmring_core.receipts.audit_receipts import AuditReceipts, Finding
from llmring_core.receipts.certifications import Certifications, CertifyingWork
from llmring_core.receipts.certify_logs import (
    MAX_LOGS,
    Certified,
    CertifyLogs,
    ListCertified,
    ListUncertified,
    LogsToCertify,
    PreviewReceipt,
)
from llmring_core.receipts.checking import Evidence, Report, Step, checked
from llmring_core.receipts.errors import (
    AlreadyCertified,
    BadKey,
    BadReceipt,
    BadSignature,
    CannotCertify,
    CannotSign,
    DuplicateReceipt,
    KeyNotFound,
    NoLogsFound,
    NothingSelected,
    ReceiptNotFound,
    TooManyLogs,
)
from llmring_core.receipts.historic import Shape
from llmring_core.receipts.key_history import AdoptKey, CloseKey, ListKeys
from llmring_core.receipts.keys import jwk_of, key_id_of, pem_of
from llmring_core.receipts.model import (
    KeyId,
    PublicKey,
    Receipt,
    ReceiptId,
    StoredReceipt,
)
from llmring_core.receipts.ports import KeyBook, ReceiptBook, ReceiptSigner, ReceiptsWork
from llmring_core.receipts.selectors import (
    EVERY_LOG,
    LogSelector,
    Named,
    OfConversation,
    SinceLastReceipt,
    Within,
)
from llmring_core.receipts.sign_historic import FlatToSign, NestedToSign, SignHistoric
from llmring_core.receipts.signing import base64url, public_key_of, sign
from llmring_core.receipts.summary import LogSummary, Part, alias_of
from llmring_core.receipts.use_cases import (
    FetchReceipt,
    IssueReceipt,
    ListReceipts,
    ProveReceipt,
    ReceiptToIssue,
    StoreReceipt,
    VerifyReceipt,
)
from llmring_core.receipts.verification import Verdict, verified

__all__ = [
    "EVERY_LOG",
    "MAX_LOGS",
    "AdoptKey",
    "AlreadyCertified",
    "AuditReceipts",
    "BadKey",
    "BadReceipt",
    "BadSignature",
    "CannotCertify",
    "CannotSign",
    "Certifications",
    "Certified",
    "CertifyLogs",
    "CertifyingWork",
    "CloseKey",
    "DuplicateReceipt",
    "Evidence",
    "FetchReceipt",
    "Finding",
    "FlatToSign",
    "IssueReceipt",
    "KeyBook",
    "KeyId",
    "KeyNotFound",
    "ListCertified",
    "ListKeys",
    "ListReceipts",
    "ListUncertified",
    "LogSelector",
    "LogSummary",
    "LogsToCertify",
    "Named",
    "NestedToSign",
    "NoLogsFound",
    "NothingSelected",
    "OfConversation",
    "Part",
    "PreviewReceipt",
    "ProveReceipt",
    "PublicKey",
    "Receipt",
    "ReceiptBook",
    "ReceiptId",
    "ReceiptNotFound",
    "ReceiptSigner",
    "ReceiptToIssue",
    "ReceiptsWork",
    "Report",
    "Shape",
    "SignHistoric",
    "SinceLastReceipt",
    "Step",
    "StoreReceipt",
    "StoredReceipt",
    "TooManyLogs",
    "Verdict",
    "VerifyReceipt",
    "Within",
    "alias_of",
    "base64url",
    "checked",
    "jwk_of",
    "key_id_of",
    "pem_of",
    "public_key_of",
    "sign",
    "verified",
]
