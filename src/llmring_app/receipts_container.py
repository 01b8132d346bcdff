"""What signs and numbers receipts, of the composition root."""

from dependency_injector import providers

from llmring_adapters.group_commit import GroupCommit
from llmring_app.foundation import Foundation
from llmring_app.receipt_keys import receipt_key
from llmring_core.receipts import IssueTogether


class ReceiptsContainer(Foundation):
    """Singletons are infrastructure; every Factory is a use case."""

    clock, new_id, new_secret = Foundation.clock, Foundation.new_id, Foundation.new_secret

    receipt_signer = providers.Singleton(receipt_key, Foundation.settings, new_secret)
    receipt_intake = providers.Singleton(
        GroupCommit,
        providers.Factory(
            IssueTogether,
            begin=Foundation.begin,
            signer=receipt_signer,
            clock=clock,
            new_id=new_id,
            new_secret=new_secret,
        ),
    )
