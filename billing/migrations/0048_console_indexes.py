import milo.word_indexes
from django.db import migrations, models

from milo.migrating.operations import AddIndexConcurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('billing', '0047_since_when_and_instead'),
        ('projects', '0008_console_indexes'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='approvalrequest',
            index=models.Index(fields=['phase', 'id'], name='approval_by_phase'),
        ),
        AddIndexConcurrently(
            model_name='approvalrequest',
            index=models.Index(fields=['act', 'id'], name='approval_by_act'),
        ),
        AddIndexConcurrently(
            model_name='approvalrequest',
            index=milo.word_indexes.WordIndex(name='approval_words', words=['name', 'requester', 'decider']),
        ),
        AddIndexConcurrently(
            model_name='billingaccount',
            index=models.Index(fields=['currency_code', 'id'], name='account_by_currency'),
        ),
        AddIndexConcurrently(
            model_name='billingaccount',
            index=models.Index(fields=['country', 'id'], name='account_by_country'),
        ),
        AddIndexConcurrently(
            model_name='billingaccount',
            index=models.Index(fields=['created_at', 'id'], name='account_by_opening'),
        ),
        AddIndexConcurrently(
            model_name='billingaccount',
            index=milo.word_indexes.WordIndex(name='account_words', words=['name', 'display_name', 'invoice_email_addresses', 'payment_profile', 'e_invoicing', 'tax_registrations']),
        ),
        AddIndexConcurrently(
            model_name='billingaccountaffiliation',
            index=models.Index(fields=['phase', 'id'], name='affiliation_by_phase'),
        ),
        AddIndexConcurrently(
            model_name='billingaccountaffiliation',
            index=models.Index(fields=['payer', 'id'], name='affiliation_by_payer'),
        ),
        AddIndexConcurrently(
            model_name='billingaccountaffiliation',
            index=milo.word_indexes.WordIndex(name='affiliation_words', words=['name', 'created_by']),
        ),
        AddIndexConcurrently(
            model_name='billingaccountbinding',
            index=models.Index(fields=['phase', 'id'], name='binding_by_phase'),
        ),
        AddIndexConcurrently(
            model_name='billingaccountbinding',
            index=milo.word_indexes.WordIndex(name='binding_words', words=['name']),
        ),
        AddIndexConcurrently(
            model_name='charge',
            index=milo.word_indexes.WordIndex(name='charge_words', words=['external_id', 'name', 'settlement_reference']),
        ),
        AddIndexConcurrently(
            model_name='hold',
            index=models.Index(fields=['type', 'id'], name='hold_by_type'),
        ),
        AddIndexConcurrently(
            model_name='hold',
            index=models.Index(condition=models.Q(('released_at', None)), fields=['id'], name='hold_open'),
        ),
        AddIndexConcurrently(
            model_name='payerchange',
            index=models.Index(fields=['phase', 'id'], name='payer_change_by_phase'),
        ),
        AddIndexConcurrently(
            model_name='payerchange',
            index=milo.word_indexes.WordIndex(name='payer_change_words', words=['name', 'created_by']),
        ),
        AddIndexConcurrently(
            model_name='payerchangeitem',
            index=models.Index(fields=['phase', 'id'], name='payer_change_item_of_phase'),
        ),
        AddIndexConcurrently(
            model_name='suspension',
            index=models.Index(fields=['reason_code', 'id'], name='suspension_by_reason'),
        ),
        AddIndexConcurrently(
            model_name='hold',
            index=milo.word_indexes.WordIndex(name='hold_words', words=['set_by', 'released_by']),
        ),
        AddIndexConcurrently(
            model_name='suspension',
            index=milo.word_indexes.WordIndex(name='suspension_words', words=['suspended_by', 'resolved_by', 'evidence']),
        ),
    ]
