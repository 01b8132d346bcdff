"""Receipts: signed claims about single calls, which anybody can check."""

from llmring_core.receipts.audit_receipts import AuditReceipts, Finding
from llmring_core.receipts.checking import Evidence, Report, Step, checked
from llmring_core.receipts.errors import (
    BadKey,
    BadReceipt,
    BadSignature,
    CannotSign,
    DuplicateReceipt,
    KeyNotFound,
    ReceiptNotFound,
)
from llmring_core.receipts.historic import Shape
from llmring_core.receipts.issue_receipts import IssueReceipt, IssueTogether, ReceiptToIssue
from llmring_core.receipts.key_history import AdoptKey, CloseKey, ListKeys
from llmring_core.receipts.keys import jwk_of, key_id_of, pem_of
from llmring_core.receipts.model import (
    KeyId,
    PublicKey,
    Receipt,
    ReceiptId,
    StoredReceipt,
)
from llmring_core.receipts.ports import (
    Issuance,
    KeyBook,
    Numbers,
    ReceiptBook,
    ReceiptIntake,
    ReceiptSigner,
    ReceiptsWork,
)
from llmring_core.receipts.signing import base64url, public_key_of, sign
from llmring_core.receipts.use_cases import (
    FetchReceipt,
    ListReceipts,
    ProveReceipt,
    StoreReceipt,
    VerifyReceipt,
)
from llmring_core.receipts.verification import Verdict, verified

__all__ = [
    "AdoptKey",
    "AuditReceipts",
    "BadKey",
    "BadReceipt",
    "BadSignature",
    "CannotSign",
    "CloseKey",
    "DuplicateReceipt",
    "Evidence",
    "FetchReceipt",
    "Finding",
    "Issuance",
    "IssueReceipt",
    "IssueTogether",
    "KeyBook",
    "KeyId",
    "KeyNotFound",
    "ListKeys",
    "ListReceipts",
    "Numbers",
    "ProveReceipt",
    "PublicKey",
    "Receipt",
    "ReceiptBook",
    "ReceiptId",
    "ReceiptIntake",
    "ReceiptNotFound",
    "ReceiptSigner",
    "ReceiptToIssue",
    "ReceiptsWork",
    "Report",
    "Shape",
    "Step",
    "StoreReceipt",
    "StoredReceipt",
    "Verdict",
    "VerifyReceipt",
    "base64url",
    "checked",
    "jwk_of",
    "key_id_of",
    "pem_of",
    "public_key_of",
    "sign",
    "verified",
]
