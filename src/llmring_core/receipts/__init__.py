"""Receipts: signed claims about single calls, which anybody can check."""

from llmring_core.receipts.audit_receipts import AuditReceipts, Finding
from llmring_core.receipts.checking import Evidence, Report, Step, checked
from llmring_core.receipts.errors import (
    BadKey,
    BadReceipt,
    BadSignature,
    CannotSign,
    DuplicateReceipt,
    DuplicateStatement,
    KeyNotFound,
    NotYetStated,
    ReceiptNotFound,
    StatementNotFound,
    TooManyModels,
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
    StatementBook,
)
from llmring_core.receipts.signing import base64url, public_key_of, sign
from llmring_core.receipts.state_receipts import (
    FetchStatement,
    IssueStatement,
    ListStatements,
    ProveStatement,
    ReadStated,
)
from llmring_core.receipts.statements import (
    ModelTotal,
    Span,
    Statement,
    StatementId,
    StoredStatement,
)
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
    "DuplicateStatement",
    "Evidence",
    "FetchReceipt",
    "FetchStatement",
    "Finding",
    "Issuance",
    "IssueReceipt",
    "IssueStatement",
    "IssueTogether",
    "KeyBook",
    "KeyId",
    "KeyNotFound",
    "ListKeys",
    "ListReceipts",
    "ListStatements",
    "ModelTotal",
    "NotYetStated",
    "Numbers",
    "ProveReceipt",
    "ProveStatement",
    "PublicKey",
    "ReadStated",
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
    "Span",
    "Statement",
    "StatementBook",
    "StatementId",
    "StatementNotFound",
    "Step",
    "StoreReceipt",
    "StoredReceipt",
    "StoredStatement",
    "TooManyModels",
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
