import type { ErrorCode } from './code-names.js'

/** What the registry says of one code. */
export type ErrorInfo = {
  /** One line for a person: what happened. */
  readonly title: string
  /** The HTTP status it travels with when it is the outcome of a request. */
  readonly status: number
  /**
   * What the caller may do: `new-payment` after changing something, present the `same-payment` again, try again `later`,
   * or `never`, because trying again cannot help.
   */
  readonly retry: 'new-payment' | 'same-payment' | 'later' | 'never'
  /** What to do next. */
  readonly hint: string
  /** Coarse refusal detail of a 402. */
  readonly detail?: '402.1' | '402.2' | '402.3' | '402.4' | '402.5'
}

const newPayment = { status: 402, retry: 'new-payment' } as const
const refused = { status: 402, retry: 'never' } as const
const later = { status: 503, retry: 'later' } as const
const config = { status: 500, retry: 'never' } as const
const client = { status: 400, retry: 'never' } as const

/** What the registry says of each code of `code-names.ts`. */
export const errorCodes = {
  // The exchange.
  payment_required: {
    ...newPayment,
    title: 'Payment required',
    hint: 'Choose an offer, sign a payment and send the request again.',
  },
  no_matching_requirements: {
    ...newPayment,
    title: 'The payment answers none of the offers',
    hint: 'Take the offers of this answer and sign again.',
  },
  invalid_payload: {
    ...newPayment,
    title: 'The payment is malformed',
    hint: 'Encode the payment as the protocol says; the detail names the field.',
  },
  invalid_x402_version: {
    ...newPayment,
    title: 'The protocol version is not supported',
    hint: 'Use version 1 or 2, with the header of that version.',
  },
  invalid_payment_requirements: {
    ...refused,
    title: 'The requirements are malformed',
    hint: 'Correct the offer; the detail names the field.',
  },
  invalid_network: {
    ...refused,
    title: 'The network is unknown or not served',
    detail: '402.4',
    hint: 'Use a CAIP-2 id or a v1 name that is served here.',
  },
  unsupported_scheme: {
    ...refused,
    title: 'The scheme is not served on this network',
    hint: 'Ask what is supported and choose one of those.',
  },
  extension_echo_mismatch: {
    ...newPayment,
    title: 'An advertised extension was changed in the echo',
    hint: 'Send extensions back as they came; add, never change.',
  },
  resource_mismatch: {
    ...newPayment,
    title: 'The payment names another resource',
    hint: 'Sign for the resource that is asked for.',
  },
  settlement_pending: {
    status: 503,
    retry: 'same-payment',
    title: 'The payment is on its way and its end is not known yet',
    hint: 'Present the same payment again after Retry-After. Do not sign another.',
  },
  payment_in_flight: {
    status: 409,
    retry: 'same-payment',
    title: 'The same payment is being served right now',
    hint: 'Wait for that answer, or present the same payment again after Retry-After.',
  },
  payment_already_used: {
    ...refused,
    title: 'This payment was already used',
    hint: 'Sign a new payment for a new request.',
  },
  idempotency_mismatch: {
    status: 409,
    retry: 'never',
    title: 'This payment is known under other terms',
    hint: 'A payment settles once, under the terms it was first presented with.',
  },
  payment_expired: {
    ...newPayment,
    title: 'The payment is no longer valid',
    detail: '402.5',
    hint: 'Sign again and check the clock.',
  },
  asset_not_allowed: {
    ...refused,
    title: 'This asset is not accepted here',
    detail: '402.3',
    hint: 'Pay with an asset of the offer.',
  },
  settlement_not_found: {
    status: 404,
    retry: 'never',
    title: 'No settlement under this identity',
    hint: 'Check the identity; nothing was claimed for it here.',
  },
  payer_is_facilitator: {
    ...refused,
    title: 'The payer is an account of the facilitator',
    hint: 'Pay from an account of your own.',
  },
  facilitator_starting: {
    ...later,
    title: 'The facilitator is still starting',
    hint: 'Ask again in a moment: it asks its nodes what is open.',
  },

  // exact on EVM. Names as in practice.
  invalid_exact_evm_scheme: {
    ...refused,
    title: 'The scheme is not exact',
    hint: 'Send a payment of the scheme that the offer names.',
  },
  invalid_exact_evm_network_mismatch: {
    ...newPayment,
    title: 'The payment is for another network',
    detail: '402.4',
    hint: 'Sign for the network of the offer.',
  },
  invalid_exact_evm_missing_eip712_domain: {
    ...refused,
    title: 'The offer lacks the token’s EIP-712 name or version',
    hint: 'Put extra.name and extra.version into the offer.',
  },
  invalid_exact_evm_signature: {
    ...newPayment,
    title: 'The signature is not the payer’s',
    detail: '402.2',
    hint: 'Sign the authorization with the key of authorization.from; 65 bytes, low s, v 27 or 28.',
  },
  invalid_exact_evm_recipient_mismatch: {
    ...newPayment,
    title: 'The payment goes to another account',
    hint: 'Set authorization.to to payTo of the offer.',
  },
  invalid_exact_evm_payload_authorization_valid_before: {
    ...newPayment,
    title: 'The authorization has expired or expires too soon',
    detail: '402.5',
    hint: 'Sign with validBefore at now + maxTimeoutSeconds.',
  },
  invalid_exact_evm_payload_authorization_valid_after: {
    ...newPayment,
    title: 'The authorization is not valid yet',
    detail: '402.5',
    hint: 'Sign with validAfter in the past and check the clock.',
  },
  invalid_exact_evm_payload_authorization_value_mismatch: {
    ...newPayment,
    title: 'The authorized value is not the amount asked for',
    detail: '402.1',
    hint: 'Authorize exactly the amount of the offer.',
  },
  invalid_exact_evm_authorization_value: {
    ...newPayment,
    title: 'The authorized value is not the amount asked for',
    detail: '402.1',
    hint: 'Authorize exactly maxAmountRequired of the offer.',
  },
  invalid_exact_evm_authorization_lifetime: {
    ...newPayment,
    title: 'The authorization lives longer than the offer allows',
    hint: 'Sign with validBefore at most now + maxTimeoutSeconds.',
  },
  invalid_exact_evm_insufficient_balance: {
    ...newPayment,
    title: 'The payer holds too little of the asset',
    detail: '402.1',
    hint: 'Fund the payer, or pay from another account.',
  },
  invalid_exact_evm_nonce_already_used: {
    ...refused,
    title: 'The authorization was already used or cancelled',
    hint: 'Sign a new authorization with a fresh nonce.',
  },
  invalid_exact_evm_eip3009_not_supported: {
    ...refused,
    title: 'The token does not support EIP-3009',
    detail: '402.3',
    hint: 'Offer another asset or another transfer method.',
  },
  invalid_exact_evm_token_name_mismatch: {
    ...refused,
    title: 'The offer’s extra.name is not the token’s EIP-712 name',
    detail: '402.3',
    hint: 'Correct extra.name in the offer.',
  },
  invalid_exact_evm_token_version_mismatch: {
    ...refused,
    title: 'The offer’s extra.version is not the token’s EIP-712 version',
    detail: '402.3',
    hint: 'Correct extra.version in the offer.',
  },
  invalid_exact_evm_transaction_simulation_failed: {
    ...newPayment,
    title: 'The transfer would fail on chain',
    hint: 'Check that the payer may send and the recipient may receive this token.',
  },
  invalid_exact_evm_transaction_failed: {
    ...newPayment,
    title: 'The transfer failed on chain',
    hint: 'Sign a new payment.',
  },
  invalid_exact_evm_transfer_event_mismatch: {
    ...refused,
    title: 'The token did not report the transfer that was paid for',
    detail: '402.3',
    hint: 'Do not accept this token.',
  },
  invalid_exact_evm_failed_to_parse_signature: {
    ...newPayment,
    title: 'The signature cannot be read',
    detail: '402.2',
    hint: 'Send the signature as 0x and hex digits.',
  },
  asset_not_deployed_contract: {
    ...refused,
    title: 'There is no contract at the asset’s address',
    detail: '402.3',
    hint: 'Correct the asset’s address or network in the offer.',
  },
  eip6492_factory_not_allowed: {
    ...refused,
    title: 'Wallets that are not deployed yet are not accepted',
    detail: '402.2',
    hint: 'Deploy the wallet first, or pay from another account.',
  },
  unsupported_transfer_method: {
    ...refused,
    title: 'The asset transfer method is not supported',
    hint: 'Use a method that the offer names and both sides support.',
  },

  // The resource server.
  facilitator_unreachable: {
    ...later,
    title: 'The facilitator cannot be reached',
    hint: 'Nothing was charged: a buyer tries again after Retry-After; a seller looks at the facilitator, and at its URL.',
  },
  facilitator_invalid_answer: {
    status: 502,
    retry: 'later',
    title: 'The facilitator’s answer cannot be used',
    hint: 'A buyer tries again later and tells the seller; a seller looks whether the URL is that of a facilitator.',
  },
  handler_failed: {
    status: 500,
    retry: 'same-payment',
    title: 'The handler failed',
    hint: 'Nothing was charged. The same payment may be presented again.',
  },
  response_too_large: {
    status: 500,
    retry: 'same-payment',
    title: 'The answer is larger than this route may hold back',
    hint: 'Raise the route’s limit or choose another mode. Nothing was charged.',
  },
  request_too_large: { status: 413, retry: 'never', title: 'The request is too large', hint: 'Send less.' },
  unsupported_media_type: {
    status: 415,
    retry: 'never',
    title: 'The request body is not JSON',
    hint: 'Send application/json.',
  },
  method_not_allowed: {
    status: 405,
    retry: 'never',
    title: 'The method is not served here',
    hint: 'Use one of the methods in Allow.',
  },
  not_found: { status: 404, retry: 'never', title: 'There is nothing here', hint: 'Check the path.' },

  // The settlement engine and its chains.
  rpc_unreachable: {
    ...later,
    title: 'The chain cannot be reached',
    hint: 'Try again later; nothing was decided about the payment.',
  },
  rpc_invalid_answer: {
    ...later,
    title: 'The chain’s node gave an answer that cannot be used',
    hint: 'Try again later; check the node.',
  },
  rpc_wrong_chain: {
    ...config,
    title: 'The node serves another chain',
    hint: 'Point the network at a node of that chain.',
  },
  signer_out_of_gas: {
    ...later,
    title: 'The settling account cannot pay for gas',
    hint: 'Fund the facilitator’s account.',
  },
  fee_above_limit: {
    ...later,
    title: 'The network fee is above the operator’s limit',
    hint: 'Wait for lower fees or raise the limit.',
  },
  unexpected_verify_error: {
    status: 500,
    retry: 'later',
    title: 'Verification failed for a reason of our own',
    hint: 'Try again later; quote the reference if there is one.',
  },
  unexpected_settle_error: {
    status: 500,
    retry: 'same-payment',
    title: 'Settlement failed for a reason of our own',
    hint: 'Present the same payment again later; quote the reference if there is one.',
  },
  store_unavailable: {
    ...later,
    title: 'The database cannot be used',
    hint: 'Check the database; nothing was accepted meanwhile.',
  },
  store_busy: { ...later, title: 'The database is busy', hint: 'Try again.' },
  shutting_down: { ...later, title: 'The service is stopping', hint: 'Try again; another instance may answer.' },

  // Configuration: said at start, in one line.
  invalid_config: { ...config, title: 'The configuration is not valid', hint: 'Correct the field that is named.' },
  duplicate_route: { ...config, title: 'Two routes cover the same requests', hint: 'Remove one of them.' },
  invalid_price: { ...config, title: 'The price is not valid', hint: 'Write it as $0.001 or 0.001 EURC.' },
  price_too_small: {
    ...config,
    title: 'The price is below one atomic unit of the asset',
    hint: 'Raise the price or choose an asset with more decimals.',
  },
  price_too_large: { ...config, title: 'The price is larger than an amount can be', hint: 'Lower the price.' },
  invalid_pay_to: {
    ...config,
    title: 'The receiving account is not valid on its network',
    hint: 'Correct the address.',
  },
  unknown_asset: {
    ...config,
    title: 'The asset is not known on this network',
    hint: 'Name a known ticker, or give address, decimals and EIP-712 domain.',
  },
  unsupported_offer: {
    ...config,
    title: 'The facilitator does not support this offer',
    hint: 'Choose a scheme and network that it lists in /supported.',
  },
  missing_scheme: { ...config, title: 'No scheme is registered for this offer', hint: 'Pass the scheme in `schemes`.' },

  // The payer’s side: why nothing was signed, or why the answer could not be had.
  no_acceptable_offer: {
    ...client,
    title: 'No offer may be paid',
    hint: 'Each refused offer says which rule refused it.',
  },
  amount_over_limit: {
    ...client,
    title: 'The price is above the limit per payment',
    hint: 'Raise perPayment if you want to pay this.',
  },
  budget_exceeded: {
    ...client,
    title: 'The price does not fit into the budget',
    hint: 'Raise the budget or wait for its next period.',
  },
  asset_not_known: {
    ...client,
    title: 'The asset is not in the registry',
    hint: 'Add the asset by address, with its decimals and EIP-712 domain.',
  },
  domain_mismatch: {
    ...client,
    title: 'The offer’s EIP-712 domain is not the asset’s',
    hint: 'Do not pay: the seller is misconfigured or lying.',
  },
  origin_not_allowed: { ...client, title: 'This origin may not be paid', hint: 'Add it to origins.' },
  insecure_origin: {
    ...client,
    title: 'Payments go out over https only',
    hint: 'Use https; plain http is for loopback.',
  },
  cross_origin_redirect: {
    ...client,
    title: 'The paid request was redirected to another origin',
    hint: 'Ask the new address yourself if you trust it.',
  },
  version_not_allowed: { ...client, title: 'This protocol version may not be paid', hint: 'Allow it in versions.' },
  lifetime_over_limit: {
    ...client,
    title: 'The offer asks for a signature that lives too long',
    hint: 'Raise maxLifetimeSeconds if you accept that.',
  },
  recipient_not_allowed: { ...client, title: 'This recipient may not be paid', hint: 'Add it to recipients.' },
  payment_already_attempted: {
    ...client,
    title: 'The request already carries a payment',
    hint: 'Leave payment headers to the payer.',
  },
  payment_refused: {
    ...client,
    title: 'The seller refused the payment',
    hint: 'See the seller’s words. They prove nothing: the payment stays alive until it expires.',
  },
  payment_unresolved: {
    status: 503,
    retry: 'same-payment',
    title: 'It is not known whether the payment was settled',
    hint: 'Call again: the same payment is presented, no new one is signed.',
  },
  body_not_replayable: {
    ...client,
    title: 'The request body can be sent only once',
    hint: 'Pass text, bytes or a form instead of a stream.',
  },
  signer_failed: { ...client, title: 'The wallet did not sign', hint: 'Check the wallet; nothing was sent.' },
  invalid_challenge: {
    ...client,
    title: 'The seller’s challenge cannot be read',
    hint: 'Tell the seller; `groat doctor` shows what is wrong.',
  },
  seller_unreachable: {
    ...later,
    title: 'The seller cannot be reached',
    hint: 'Try again; a payment that was sent is presented again, not replaced.',
  },

  // The payer’s policy and wallet.
  network_not_allowed: { ...client, title: 'This network may not be paid on', hint: 'Add it to networks.' },
  scheme_not_allowed: { ...client, title: 'This scheme may not be paid with', hint: 'Add it to schemes.' },
  payment_flow_not_allowed: {
    ...client,
    title: 'Only the authorization flow is paid',
    hint: 'Ask the seller for an offer without another payment flow.',
  },
  asset_not_in_policy: { ...client, title: 'This asset may not be paid with', hint: 'Add it to assets.' },
  payments_stopped: {
    ...client,
    title: 'Payments are stopped',
    hint: 'Whoever stopped them can let them go on; `groat policy resume` does it.',
  },
  too_many_payments: {
    ...client,
    title: 'The number of payments is used up',
    hint: 'Raise the number in payments or wait for its next period.',
  },
  price_rise_over_limit: {
    ...client,
    title: 'The price has risen by more than is allowed',
    hint: 'Raise priceRise, or forget what the seller asked before.',
  },
  recipient_changed: {
    ...client,
    title: 'The money would go to another account than before',
    hint: 'Ask the seller by another way; then pin the new account or forget the old one.',
  },
  approval_required: {
    ...client,
    title: 'A person has to approve this payment and there is nobody to ask',
    hint: 'Give an approve function, or raise askAbove.',
  },
  approval_denied: { ...client, title: 'The payment was not approved', hint: 'Ask the person who decides.' },
  allowance_over_limit: {
    ...client,
    title: 'The payment would let a contract take more than it costs',
    hint: 'Give such an allowance yourself if you want it.',
  },
  insufficient_balance: {
    ...client,
    title: 'The account has less than this payment takes',
    hint: 'Fund the account, or pay in another asset.',
  },
  simulation_failed: {
    ...client,
    title: 'The payment would fail on chain',
    hint: 'Nothing was signed; the detail says what the chain answered.',
  },
  private_address: {
    ...client,
    title: 'The name leads to an address inside a private network',
    hint: 'Allow it in privateAddresses if the seller really is there.',
  },
  signer_refused: {
    ...client,
    title: 'The remote signer refuses to sign this',
    hint: 'Its own limits decide; the detail names the rule.',
  },
  keystore_unreadable: {
    ...client,
    title: 'The keystore cannot be opened',
    hint: 'Check the password and the file.',
  },

  // exact on Solana. Names as in practice, where it has one.
  invalid_exact_svm_unsupported_scheme: {
    ...refused,
    title: 'The scheme is not exact',
    hint: 'Send a payment of the scheme that the offer names.',
  },
  invalid_exact_svm_network_mismatch: {
    ...newPayment,
    title: 'The payment is for another network',
    detail: '402.4',
    hint: 'Sign for the network of the offer.',
  },
  invalid_exact_svm_payload_missing_fee_payer: {
    ...refused,
    title: 'The offer names nobody who pays the fee',
    hint: 'Put extra.feePayer into the offer, as the facilitator lists it.',
  },
  invalid_exact_svm_fee_payer_not_managed_by_facilitator: {
    ...refused,
    title: 'The facilitator cannot sign for the fee payer of the offer',
    hint: 'Take extra.feePayer from what the facilitator lists.',
  },
  invalid_exact_svm_payload_transaction_could_not_be_decoded: {
    ...newPayment,
    title: 'The transaction cannot be read',
    hint: 'Send one legacy or version 0 transaction of at most 1232 bytes in padded standard base64.',
  },
  unsupported_transaction_version: {
    ...newPayment,
    title: 'The transaction is of a version that is not supported',
    hint: 'Build a version 0 transaction.',
  },
  invalid_exact_svm_payload_lookup_table: {
    ...newPayment,
    title: 'The transaction takes accounts from a lookup table',
    hint: 'Name every account in the message itself.',
  },
  invalid_exact_svm_payload_excessive_signers: {
    ...newPayment,
    title: 'The transaction asks for more signatures than the fee payer pays for',
    hint: 'Let only the fee payer and the payer sign.',
  },
  invalid_exact_svm_fee_payer_mismatch: {
    ...newPayment,
    title: 'Another account pays the fee than the offer says',
    hint: 'Make extra.feePayer the first account of the transaction.',
  },
  invalid_exact_svm_payload_signature_invalid: {
    ...newPayment,
    title: 'A signature of the transaction is missing or wrong',
    detail: '402.2',
    hint: 'Sign the message with the key of every signer but the fee payer.',
  },
  invalid_exact_svm_payload_fee_payer_not_isolated: {
    ...newPayment,
    title: 'An instruction names an account that pays fees',
    hint: 'Use the fee payer for nothing but the fee.',
  },
  invalid_exact_svm_payload_fee_above_limit: {
    ...newPayment,
    title: 'The transaction would cost the fee payer more than it allows',
    hint: 'Lower the compute unit limit or the price per unit.',
  },
  invalid_exact_svm_payload_transaction_instructions_length: {
    ...newPayment,
    title: 'The transaction has too few or too many instructions',
    hint: 'Send compute limit, compute price, transfer and at most four more.',
  },
  invalid_exact_svm_payload_transaction_instructions_compute_limit_instruction: {
    ...newPayment,
    title: 'The first instruction does not set the compute unit limit',
    hint: 'Begin with SetComputeUnitLimit.',
  },
  invalid_exact_svm_payload_transaction_instructions_compute_limit_instruction_too_high: {
    ...newPayment,
    title: 'The compute unit limit is too high',
    hint: 'Ask for no more compute units than a transfer and a memo use.',
  },
  invalid_exact_svm_payload_transaction_instructions_compute_price_instruction: {
    ...newPayment,
    title: 'The second instruction does not set the price of a compute unit',
    hint: 'Put SetComputeUnitPrice second.',
  },
  invalid_exact_svm_payload_transaction_instructions_compute_price_instruction_too_high: {
    ...newPayment,
    title: 'The price of a compute unit is too high',
    hint: 'Offer at most 5,000,000 microlamports.',
  },
  invalid_exact_svm_payload_no_transfer_instruction: {
    ...newPayment,
    title: 'The third instruction is not a transfer',
    hint: 'Put TransferChecked of the asset’s token program third, with exactly four accounts.',
  },
  invalid_exact_svm_payload_transaction_fee_payer_transferring_funds: {
    ...refused,
    title: 'The facilitator’s own money would move',
    hint: 'Pay from an account of the payer.',
  },
  invalid_exact_svm_payload_mint_mismatch: {
    ...newPayment,
    title: 'The transaction moves another token',
    detail: '402.3',
    hint: 'Transfer the asset of the offer.',
  },
  invalid_exact_svm_payload_recipient_mismatch: {
    ...newPayment,
    title: 'The payment goes to another account',
    hint: 'Transfer to the associated token account of payTo under the asset’s token program.',
  },
  invalid_exact_svm_payload_amount_mismatch: {
    ...newPayment,
    title: 'The transferred amount is not the amount asked for',
    detail: '402.1',
    hint: 'Transfer exactly the amount of the offer.',
  },
  invalid_exact_svm_payload_unknown_fourth_instruction: {
    ...newPayment,
    title: 'The fourth instruction is neither a memo nor an assertion',
    hint: 'Send only Memo and read-only Lighthouse instructions after the transfer.',
  },
  invalid_exact_svm_payload_unknown_fifth_instruction: {
    ...newPayment,
    title: 'The fifth instruction is neither a memo nor an assertion',
    hint: 'Send only Memo and read-only Lighthouse instructions after the transfer.',
  },
  invalid_exact_svm_payload_unknown_sixth_instruction: {
    ...newPayment,
    title: 'The sixth instruction is neither a memo nor an assertion',
    hint: 'Send only Memo and read-only Lighthouse instructions after the transfer.',
  },
  invalid_exact_svm_payload_unknown_seventh_instruction: {
    ...newPayment,
    title: 'The seventh instruction is neither a memo nor an assertion',
    hint: 'Send only Memo and read-only Lighthouse instructions after the transfer.',
  },
  invalid_exact_svm_payload_memo_count: {
    ...newPayment,
    title: 'The transaction has no memo, or more than the offer allows',
    hint: 'Send exactly one memo: extra.memo of the offer, or else a random one.',
  },
  invalid_exact_svm_payload_memo_mismatch: {
    ...newPayment,
    title: 'The memo is not the one of the offer',
    hint: 'Write extra.memo, byte for byte, into the memo.',
  },
  invalid_exact_svm_mint_extension_not_allowed: {
    ...refused,
    title: 'The token can do what is not accepted here',
    detail: '402.3',
    hint: 'Offer another asset, or allow the extension that is named.',
  },
  invalid_exact_svm_destination_ata_missing: {
    ...refused,
    title: 'The recipient has no token account for the asset',
    hint: 'Create the associated token account of payTo before selling.',
  },
  invalid_exact_svm_destination_ata_unusable: {
    ...refused,
    title: 'The recipient’s token account cannot be paid',
    hint: 'Receive with another account: this one is frozen, or belongs to somebody else.',
  },
  invalid_exact_svm_insufficient_balance: {
    ...newPayment,
    title: 'The payer holds too little of the asset',
    detail: '402.1',
    hint: 'Fund the payer, or pay from another account.',
  },
  invalid_exact_svm_transaction_simulation_failed: {
    ...newPayment,
    title: 'The transaction would fail on chain',
    hint: 'Check that the payer may send and the recipient may receive this token.',
  },
  invalid_exact_svm_transaction_failed: {
    ...newPayment,
    title: 'The transaction failed on chain',
    hint: 'Sign a new payment.',
  },
  invalid_exact_svm_balance_change_mismatch: {
    ...refused,
    title: 'The recipient’s balance did not grow by the amount that was paid for',
    detail: '402.3',
    hint: 'Do not accept this token.',
  },
  invalid_exact_svm_smart_wallet_program_not_allowed: {
    ...refused,
    title: 'The transaction calls a program that is not accepted here',
    hint: 'Pay from a wallet whose program the facilitator allows.',
  },
  invalid_exact_svm_smart_wallet_alt_resolution_failed: {
    ...newPayment,
    title: 'A lookup table of the transaction cannot be resolved',
    hint: 'Use tables that exist and are in use, or none.',
  },
  invalid_exact_svm_smart_wallet_transfer_mismatch: {
    ...newPayment,
    title: 'The transaction would not pay the recipient once and exactly what is asked for',
    detail: '402.1',
    hint: 'Transfer the amount of the offer, once, to the associated token account of payTo.',
  },
  recent_blockhash_not_known: {
    ...client,
    title: 'No recent blockhash is known to build a transaction on',
    hint: 'Give the scheme an rpc of the network, or buy where the offer brings a blockhash.',
  },
  fee_payer_not_allowed: {
    ...client,
    title: 'The offer would have the payer pay the network fee',
    hint: 'Do not pay: the seller is misconfigured or lying.',
  },
  // What the first generation says of the same; written in version 1 only.
  network_mismatch: {
    ...newPayment,
    title: 'The payment is for another network',
    detail: '402.4',
    hint: 'Sign for the network of the offer.',
  },
  fee_payer_not_managed_by_facilitator: {
    ...refused,
    title: 'The facilitator cannot sign for the fee payer of the offer',
    hint: 'Take extra.feePayer from what the facilitator lists.',
  },
  transaction_simulation_failed: {
    ...newPayment,
    title: 'The transaction would fail on chain',
    hint: 'Check that the payer may send and the recipient may receive this token.',
  },
  transaction_failed: {
    ...newPayment,
    title: 'The transaction failed on chain',
    hint: 'Sign a new payment.',
  },

  // upto on Solana. Names as in practice.
  settlement_program_missing: {
    status: 501,
    retry: 'never',
    title: 'The program that this scheme settles with is not to be had here',
    hint: 'Use the exact scheme, or a facilitator that has the program.',
  },
  invalid_upto_svm_payload_open_transaction: {
    ...newPayment,
    title: 'The transaction that opens the channel is not as the scheme wants it',
    hint: 'Build it as the scheme says; the detail names the part.',
  },

  // What the work charges of a ceiling.
  invalid_charge: {
    ...config,
    title: 'The work charged what it may not',
    hint: 'Charge an amount between nothing and the ceiling, by a scheme that has one, before the answer is made.',
  },

  // Permit2 on EVM. Names as in practice, where it has one.
  invalid_permit2_spender: {
    ...newPayment,
    title: 'The payment lets another contract take the money',
    hint: 'Sign with the spender of the scheme: its Permit2 proxy.',
  },
  invalid_permit2_recipient_mismatch: {
    ...newPayment,
    title: 'The payment goes to another account',
    hint: 'Set witness.to to payTo of the offer.',
  },
  invalid_permit2_signature: {
    ...newPayment,
    title: 'The Permit2 signature is not the payer’s',
    detail: '402.2',
    hint: 'Sign with the key of permit2Authorization.from; 65 bytes, low s, v 27 or 28.',
  },
  permit2_deadline_expired: {
    ...newPayment,
    title: 'The Permit2 authorization has expired or expires too soon',
    detail: '402.5',
    hint: 'Sign with deadline at now + maxTimeoutSeconds.',
  },
  permit2_not_yet_valid: {
    ...newPayment,
    title: 'The Permit2 authorization is not valid yet',
    detail: '402.5',
    hint: 'Sign with witness.validAfter in the past and check the clock.',
  },
  permit2_authorization_lifetime: {
    ...newPayment,
    title: 'The Permit2 authorization lives longer than the offer allows',
    hint: 'Sign with deadline at most now + maxTimeoutSeconds.',
  },
  permit2_amount_mismatch: {
    ...newPayment,
    title: 'The permitted amount is not the amount asked for',
    detail: '402.1',
    hint: 'Permit exactly the amount of the offer.',
  },
  permit2_token_mismatch: {
    ...newPayment,
    title: 'The payment permits another token',
    detail: '402.3',
    hint: 'Permit the asset of the offer.',
  },
  permit2_proxy_not_deployed: {
    ...refused,
    title: 'Permit2 or the proxy of the scheme is not on this network',
    detail: '402.4',
    hint: 'Pay by another transfer method, or on another network.',
  },
  permit2_insufficient_balance: {
    ...newPayment,
    title: 'The payer holds too little of the asset',
    detail: '402.1',
    hint: 'Fund the payer, or pay from another account.',
  },
  permit2_allowance_required: {
    status: 412,
    retry: 'new-payment',
    title: 'Permit2 may not take the asset from the payer yet',
    hint: 'Approve Permit2 for the asset once, or send along a gas sponsoring extension that the offer announces.',
  },
  permit2_invalid_nonce: {
    ...refused,
    title: 'The Permit2 nonce was already used or cancelled',
    hint: 'Sign a new authorization with a fresh nonce.',
  },
  permit2_2612_amount_mismatch: {
    ...newPayment,
    title: 'The EIP-2612 permit is not for the permitted amount',
    detail: '402.1',
    hint: 'Permit Permit2 exactly the amount that permit2Authorization names.',
  },
  permit2_simulation_failed: {
    ...newPayment,
    title: 'The transfer through Permit2 would fail on chain',
    hint: 'Check that the payer may send and the recipient may receive this token.',
  },

  // Gas sponsoring on EVM. Names as in practice, where it has one.
  invalid_eip2612_extension_format: {
    ...newPayment,
    title: 'The EIP-2612 extension is malformed',
    hint: 'Write from, asset, spender, amount, nonce, deadline, signature and version as the extension says.',
  },
  eip2612_from_mismatch: {
    ...newPayment,
    title: 'The EIP-2612 permit is of another account',
    hint: 'Permit from the account that pays.',
  },
  eip2612_asset_mismatch: {
    ...newPayment,
    title: 'The EIP-2612 permit is for another token',
    detail: '402.3',
    hint: 'Permit for the asset of the offer.',
  },
  eip2612_spender_not_permit2: {
    ...newPayment,
    title: 'The EIP-2612 permit is for another spender',
    hint: 'Permit the Permit2 contract.',
  },
  eip2612_deadline_expired: {
    ...newPayment,
    title: 'The EIP-2612 permit has expired or expires too soon',
    detail: '402.5',
    hint: 'Sign the permit with the deadline of the payment.',
  },
  invalid_erc20_approval_extension_format: {
    ...newPayment,
    title: 'The approval extension is malformed',
    hint: 'Write from, asset, spender, amount, signedTransaction and version as the extension says.',
  },
  erc20_approval_from_mismatch: {
    ...newPayment,
    title: 'The sponsored approval is of another account',
    hint: 'Approve from the account that pays.',
  },
  erc20_approval_asset_mismatch: {
    ...newPayment,
    title: 'The sponsored approval is for another token',
    detail: '402.3',
    hint: 'Approve the asset of the offer.',
  },
  erc20_approval_spender_not_permit2: {
    ...newPayment,
    title: 'The sponsored approval is for another spender',
    hint: 'Approve the Permit2 contract.',
  },
  erc20_approval_tx_parse_failed: {
    ...newPayment,
    title: 'The approval transaction cannot be read',
    hint: 'Send one signed EIP-1559 transaction as 0x and hex digits.',
  },
  erc20_approval_tx_wrong_chain: {
    ...newPayment,
    title: 'The approval transaction is for another chain',
    detail: '402.4',
    hint: 'Sign it for the network of the offer.',
  },
  erc20_approval_tx_wrong_target: {
    ...newPayment,
    title: 'The approval transaction calls another contract',
    hint: 'Call the asset of the offer.',
  },
  erc20_approval_tx_wrong_selector: {
    ...newPayment,
    title: 'The approval transaction does not call approve',
    hint: 'Call approve(address,uint256) and nothing else.',
  },
  erc20_approval_tx_wrong_spender: {
    ...newPayment,
    title: 'The approval transaction approves another spender',
    hint: 'Approve the Permit2 contract.',
  },
  erc20_approval_tx_invalid_calldata: {
    ...newPayment,
    title: 'The call of the approval transaction is malformed',
    hint: 'Send exactly approve(address,uint256): 68 bytes.',
  },
  erc20_approval_tx_amount_too_low: {
    ...newPayment,
    title: 'The approval transaction approves too little',
    detail: '402.1',
    hint: 'Approve at least the permitted amount, and the amount that the extension names.',
  },
  erc20_approval_tx_value_not_zero: {
    ...newPayment,
    title: 'The approval transaction sends the chain’s own coin',
    hint: 'Sign it with value 0.',
  },
  erc20_approval_tx_gas_above_limit: {
    ...newPayment,
    title: 'The approval transaction asks for more gas than is sponsored',
    hint: 'Lower its gas limit; 70,000 is plenty.',
  },
  erc20_approval_tx_fee_above_limit: {
    ...newPayment,
    title: 'The approval transaction offers a higher fee than is sponsored',
    hint: 'Offer a fee near the present one of the network.',
  },
  erc20_approval_tx_fee_too_low: {
    ...newPayment,
    title: 'The approval transaction offers less than the network asks',
    hint: 'Offer a fee near the present one of the network.',
  },
  erc20_approval_tx_wrong_nonce: {
    ...newPayment,
    title: 'The approval transaction is not the account’s next one',
    hint: 'Sign it with the account’s present nonce, and send nothing else meanwhile.',
  },
  erc20_approval_tx_invalid_signature: {
    ...newPayment,
    title: 'The approval transaction is not validly signed',
    detail: '402.2',
    hint: 'Sign it with the key of the account that pays.',
  },
  erc20_approval_tx_signer_mismatch: {
    ...newPayment,
    title: 'The approval transaction is signed by another account',
    detail: '402.2',
    hint: 'Sign it with the key of the account that pays.',
  },
  erc20_approval_unavailable: {
    ...refused,
    title: 'Approvals are not sponsored here',
    hint: 'Approve Permit2 yourself, or pay by another transfer method.',
  },
  erc20_approval_limit_reached: {
    ...newPayment,
    title: 'This payer’s approvals were sponsored often enough',
    hint: 'Approve Permit2 yourself: `groat wallet approve`, or more at once: `allowance` in the policy.',
  },
  erc20_approval_broadcast_failed: {
    ...newPayment,
    title: 'The sponsored approval did not go through',
    hint: 'Sign a new payment and a new approval.',
  },

  // Wallets that are not deployed yet, and ERC-7710, on EVM.
  smart_wallet_deployment_failed: {
    ...newPayment,
    title: 'The wallet would not exist after its factory was called',
    detail: '402.2',
    hint: 'Name the factory that creates exactly the paying wallet.',
  },
  erc7710_manager_not_allowed: {
    ...refused,
    title: 'This delegation manager is not accepted here',
    hint: 'Pay through a delegation manager that the facilitator allows.',
  },
  erc7710_simulation_failed: {
    ...newPayment,
    title: 'The delegation does not pay',
    hint: 'Send a delegation that lets the facilitator move the amount, within its gas.',
  },
  erc7710_transfer_mismatch: {
    ...refused,
    title: 'The delegation did not move exactly what was paid for',
    detail: '402.3',
    hint: 'Do not accept this delegation manager or token.',
  },

  // A facilitator that serves many.
  rpc_nodes_disagree: {
    ...later,
    title: 'The nodes of the chain contradict each other',
    hint: 'Present the same payment again later; nothing was decided.',
  },
  api_key_missing: {
    status: 401,
    retry: 'never',
    title: 'The request carries no API key',
    hint: 'Send Authorization: Bearer KEY.',
  },
  api_key_unknown: {
    status: 401,
    retry: 'never',
    title: 'The API key is not known',
    hint: 'Ask the operator for a key; this one may have been withdrawn.',
  },
  scope_missing: {
    status: 403,
    retry: 'never',
    title: 'The API key does not allow this',
    hint: 'Use a key with the scope that is named.',
  },
  quota_exceeded: {
    status: 429,
    retry: 'later',
    title: 'The quota is used up for now',
    hint: 'Wait as long as Retry-After says; the detail names the quota.',
  },
  facilitator_overloaded: {
    ...later,
    title: 'More work waits than can be done in time',
    hint: 'Wait as long as Retry-After says; nothing was accepted.',
  },
  payment_screened: {
    ...refused,
    title: 'The payment was turned down by screening',
    hint: 'Ask the operator of the facilitator.',
  },
  screening_unavailable: {
    ...later,
    title: 'The payment cannot be screened now',
    hint: 'Try again; nothing is settled unscreened.',
  },

  // upto on EVM. Names as in practice, where it has one.
  invalid_upto_evm_scheme: {
    ...newPayment,
    title: 'The payment or its terms are not of the scheme upto',
    hint: 'Sign for an offer whose scheme is upto.',
  },
  invalid_upto_evm_network_mismatch: {
    ...newPayment,
    title: 'The payment is for another network than its terms',
    detail: '402.4',
    hint: 'Sign for the network of the offer.',
  },
  upto_facilitator_mismatch: {
    ...newPayment,
    title: 'The payment can be settled by another account only',
    hint: 'Sign for the facilitatorAddress of the offer.',
  },
  invalid_upto_evm_payload_settlement_exceeds_amount: {
    ...newPayment,
    title: 'More is charged than was signed for',
    detail: '402.1',
    hint: 'Charge at most the amount of the offer.',
  },
  upto_exposure_exceeded: {
    ...newPayment,
    title: 'The payer is in for more than it has, with payments that are not settled yet',
    detail: '402.1',
    hint: 'Wait for the others to settle, or fund the payer and its Permit2 allowance.',
  },
  invalid_upto_evm_transaction_failed: {
    ...newPayment,
    title: 'The settlement was included and did not move the money',
    hint: 'Sign a new payment.',
  },

  // Payers who spend the facilitator's fees.
  payer_on_hold: {
    ...refused,
    title: 'An earlier payment of this payer failed on chain',
    detail: '402.2',
    hint: 'Pay from another account, or wait ten minutes.',
  },

  // Bundles and passes.
  entitlement_invalid: {
    ...refused,
    title: 'The entitlement is not one of this server',
    hint: 'Send the value of the PAYMENT-ENTITLEMENT header that came with the paid answer, or pay.',
  },
  entitlement_used_up: {
    ...refused,
    title: 'The entitlement has no uses or no time left, or is for something else',
    hint: 'Pay again for a new one.',
  },

  // batch-settlement on EVM. Names as in practice, where it has one.
  invalid_batch_settlement_evm_scheme: {
    ...newPayment,
    title: 'The payment or its terms are not of the scheme batch-settlement',
    hint: 'Sign for an offer whose scheme is batch-settlement.',
  },
  invalid_batch_settlement_evm_network_mismatch: {
    ...newPayment,
    title: 'The payment is for another network than its terms',
    hint: 'Sign for the network of the offer.',
  },
  invalid_batch_settlement_evm_payload_type: {
    ...newPayment,
    title: 'The payload is of a type that is not served here',
    hint: 'Send a deposit or a voucher; sellers also claims, sweeps and refunds.',
  },
  invalid_batch_settlement_evm_channel_id_mismatch: {
    ...newPayment,
    title: 'The id is not that of the channel',
    hint: 'Derive the id from the configuration of the channel.',
  },
  invalid_batch_settlement_evm_receiver_mismatch: {
    ...newPayment,
    title: 'The channel is for another receiver',
    hint: 'Open a channel for the payTo of the offer.',
  },
  invalid_batch_settlement_evm_receiver_authorizer_mismatch: {
    ...newPayment,
    title: 'The channel names another authorizer of its receiver',
    hint: 'Open a channel with the receiverAuthorizer of the offer.',
  },
  invalid_batch_settlement_evm_token_mismatch: {
    ...newPayment,
    title: 'The channel is in another token',
    hint: 'Open a channel in the asset of the offer.',
  },
  invalid_batch_settlement_evm_withdraw_delay_mismatch: {
    ...newPayment,
    title: 'The channel has another withdraw delay than the offer',
    hint: 'Open a channel with the withdrawDelay of the offer.',
  },
  invalid_batch_settlement_evm_withdraw_delay_out_of_range: {
    ...newPayment,
    title: 'The withdraw delay is out of range',
    hint: 'Use 900 to 2592000 seconds.',
  },
  invalid_batch_settlement_evm_voucher_signature: {
    ...newPayment,
    title: 'The voucher is not signed by the key of the channel',
    hint: 'Sign with the payerAuthorizer, which is a key, in the canonical form.',
  },
  invalid_batch_settlement_evm_channel_not_found: {
    ...newPayment,
    title: 'The channel holds nothing',
    hint: 'Send a deposit first.',
  },
  invalid_batch_settlement_evm_cumulative_exceeds_balance: {
    ...newPayment,
    title: 'The voucher is for more than the channel holds',
    hint: 'Send a deposit with the next voucher.',
  },
  invalid_batch_settlement_evm_cumulative_below_claimed: {
    ...newPayment,
    title: 'The voucher is for no more than was claimed already',
    hint: 'Take the state of the channel from this answer.',
  },
  invalid_batch_settlement_evm_cumulative_amount_mismatch: {
    ...newPayment,
    title: 'The voucher does not continue what was charged so far',
    hint: 'Take the state of the channel from this answer and sign again.',
  },
  invalid_batch_settlement_evm_channel_busy: {
    ...newPayment,
    title: 'Another request of this channel is under way',
    hint: 'Wait for it, or use another channel.',
  },
  invalid_batch_settlement_evm_withdrawal_pending: {
    ...newPayment,
    title: 'The payer is taking money out of the channel',
    hint: 'Use another channel.',
  },
  invalid_batch_settlement_evm_charge_exceeds_signed_cumulative: {
    ...newPayment,
    title: 'More is charged than the voucher allows',
    hint: 'Sign a new payment.',
  },
  invalid_batch_settlement_evm_missing_channel: {
    ...newPayment,
    title: 'The seller does not know the channel',
    hint: 'Send a new payment.',
  },
  invalid_batch_settlement_evm_erc3009_authorization_required: {
    ...newPayment,
    title: 'The deposit has no authorization',
    hint: 'Authorize the deposit by EIP-3009 or by Permit2.',
  },
  invalid_batch_settlement_evm_missing_eip712_domain: {
    ...newPayment,
    title: 'The terms do not name the domain of the token',
    hint: 'Name version and name of the token in the offer.',
  },
  invalid_batch_settlement_evm_payload_authorization_valid_before: {
    ...newPayment,
    title: 'The deposit is valid for too short a time',
    hint: 'Sign again and check the clock.',
  },
  invalid_batch_settlement_evm_payload_authorization_valid_after: {
    ...newPayment,
    title: 'The deposit is not valid yet',
    hint: 'Check the clock.',
  },
  invalid_batch_settlement_evm_receive_authorization_signature: {
    ...newPayment,
    title: 'The signature of the deposit cannot be read',
    hint: 'Sign the deposit with the key of the payer.',
  },
  invalid_batch_settlement_evm_permit2_invalid_signature: {
    ...newPayment,
    title: 'The deposit is not signed by the payer',
    hint: 'Sign the deposit with the key of the payer.',
  },
  invalid_batch_settlement_evm_permit2_invalid_spender: {
    ...newPayment,
    title: 'The deposit lets another contract take the money',
    hint: 'Sign for the collector of the scheme.',
  },
  invalid_batch_settlement_evm_permit2_amount_mismatch: {
    ...newPayment,
    title: 'The deposit is signed for another amount',
    hint: 'Sign exactly the amount of the deposit.',
  },
  invalid_batch_settlement_evm_permit2_deadline_expired: {
    ...newPayment,
    title: 'The deposit is valid for too short a time',
    hint: 'Sign again and check the clock.',
  },
  invalid_batch_settlement_evm_permit2_allowance_required: {
    status: 412,
    retry: 'new-payment',
    title: 'Permit2 may not take the token',
    hint: 'Approve Permit2 for the token once.',
  },
  invalid_batch_settlement_evm_insufficient_balance: {
    ...newPayment,
    title: 'The payer has less than the deposit',
    hint: 'Fund the payer.',
  },
  invalid_batch_settlement_evm_deposit_simulation_failed: {
    ...newPayment,
    title: 'The deposit would fail on chain',
    hint: 'Check signature, nonce and token of the deposit.',
  },
  invalid_batch_settlement_evm_deposit_transaction_failed: {
    ...newPayment,
    title: 'The deposit failed on chain',
    hint: 'Sign a new payment.',
  },
  invalid_batch_settlement_evm_authorizer_not_configured: {
    ...newPayment,
    title: 'The word of the authorizer of the receiver is missing',
    hint: 'Sign with the key of the receiverAuthorizer: it is the seller who has it.',
  },
  invalid_batch_settlement_evm_claim_simulation_failed: {
    ...newPayment,
    title: 'The claim would fail on chain',
    hint: 'Claim the rows one by one to find the one that is refused.',
  },
  invalid_batch_settlement_evm_claim_transaction_failed: {
    ...newPayment,
    title: 'The claim failed on chain',
    hint: 'Run the claim again.',
  },
  invalid_batch_settlement_evm_nothing_to_settle: {
    ...newPayment,
    title: 'Nothing was claimed that is not sent yet',
    hint: 'Claim first.',
  },
  invalid_batch_settlement_evm_settle_transaction_failed: {
    ...newPayment,
    title: 'The sweep failed on chain',
    hint: 'Run it again.',
  },
  invalid_batch_settlement_evm_refund_amount_invalid: {
    ...newPayment,
    title: 'The refund is not for an amount',
    hint: 'Name an amount above nothing.',
  },
  invalid_batch_settlement_evm_refund_simulation_failed: {
    ...newPayment,
    title: 'The refund would fail on chain',
    hint: 'Take the nonce of the channel from the chain and sign again.',
  },
  invalid_batch_settlement_evm_refund_transaction_failed: {
    ...newPayment,
    title: 'The refund failed on chain',
    hint: 'Sign a new refund.',
  },

  // What a facilitator takes from one payer.
  payer_over_limit: {
    status: 429,
    retry: 'same-payment',
    title: 'The payer has too many payments under way, or too many that failed of late',
    hint: 'Present the same payment again when earlier ones have settled.',
  },

  // What is charged by use.
  usage_missing: {
    status: 502,
    retry: 'same-payment',
    title: 'The answer does not say what it used',
    hint: 'Nothing was charged. Sellers: let the answer carry its usage, or say it with payment.use().',
  },

  // What a receiver of webhooks is told.
  webhook_signature_invalid: {
    status: 400,
    retry: 'never',
    title: 'The webhook was not signed by a secret of this endpoint, or not lately',
    hint: 'Check the secret, the clock, and that the body is taken as it came, before anything parses it.',
  },

  // What an operator is told of webhooks.
  webhook_undelivered: {
    status: 502,
    retry: 'later',
    title: 'A webhook was given up: its receiver did not take it',
    hint: 'Mend the receiver, then have what was given up sent again.',
  },

  // What a seller gives back.
  payment_refunded: {
    ...newPayment,
    title: 'The payment was given back, or is being given back',
    hint: 'The money comes to the account that paid. To buy again, sign a new payment.',
  },
  refund_not_found: {
    status: 404,
    retry: 'never',
    title: 'There is no such payment in the books, no refund of it that waits, or its money is still in a channel',
    hint: 'Look for the payment with `groat ledger list`.',
  },
  refund_exists: {
    status: 409,
    retry: 'never',
    title: 'This refund was asked for before, or nothing is left of the payment',
    hint: 'Another part of a payment is asked for under a name of its own.',
  },
  refund_above_paid: {
    status: 422,
    retry: 'never',
    title: 'The refund is for nothing, or for more than was paid',
    hint: 'Ask for what was paid, or for a part of it.',
  },
  refund_needs_other: {
    status: 403,
    retry: 'never',
    title: 'Who asks for a refund cannot approve it',
    hint: 'Let somebody else approve it.',
  },

  // Money in escrow on EVM.
  invalid_auth_capture_evm_payload_type: {
    ...newPayment,
    title: 'The payload names nothing that can be done with this offer',
    hint: 'Send a payment, or a capture, a void or a refund where the offer allows it.',
  },
  invalid_auth_capture_evm_unsupported_payment_flow: {
    ...refused,
    title: 'The offer names a payment flow that does not exist',
    hint: 'Offer `escrow` or `authorization`.',
  },
  invalid_auth_capture_evm_scheme: {
    ...refused,
    title: 'The scheme is not auth-capture',
    hint: 'Name the scheme in the offer and in its echo.',
  },
  invalid_auth_capture_evm_network_mismatch: {
    ...newPayment,
    title: 'The payment is for another network than the offer',
    hint: 'Sign for the network of the offer.',
  },
  invalid_auth_capture_evm_extra: {
    ...refused,
    title: 'The offer lacks a part, names another escrow, or has fees that cannot be',
    hint: 'Correct the extra of the offer; take operator and fees from the facilitator.',
  },
  invalid_auth_capture_evm_missing_receiver_authorizer: {
    ...refused,
    title: 'Nobody is named whose word a payout needs',
    hint: 'Name a receiverAuthorizer in the offer.',
  },
  invalid_auth_capture_evm_unsupported_operator_type: {
    ...refused,
    title: 'Operators that are contracts, and policies, are not accepted here',
    hint: 'Offer the operator type `delegated`.',
  },
  invalid_auth_capture_evm_lifecycle_not_relayed: {
    ...refused,
    title: 'The facilitator relays nothing for an offer without a receiver’s authorizer',
    hint: 'Name a receiverAuthorizer in the offer.',
  },
  invalid_auth_capture_evm_operator_not_admitted: {
    ...refused,
    title: 'The operator is no account of this facilitator',
    hint: 'Take captureAuthorizer from what the facilitator lists.',
  },
  invalid_auth_capture_evm_salt_binding_mismatch: {
    ...newPayment,
    title: 'The salt is not bound to the receiver’s authorizer of the offer',
    hint: 'Derive the salt from the offer and send saltNonce along.',
  },
  invalid_auth_capture_evm_authorizer_signature: {
    ...newPayment,
    title: 'The receiver’s authorizer has not signed this',
    hint: 'Sign exactly what is asked for with the key of the receiverAuthorizer.',
  },
  invalid_auth_capture_evm_unexpected_payment_state: {
    ...newPayment,
    title: 'The escrow has other balances than were signed',
    hint: 'Read the balances again and sign anew.',
  },
  invalid_auth_capture_evm_refund_funding_unavailable: {
    ...refused,
    title: 'Nobody pays for this refund',
    hint: 'Agree with the facilitator on refunds, or send the money yourself.',
  },
  invalid_auth_capture_evm_capture_deadline_expired: {
    ...newPayment,
    title: 'The time for capture is over',
    hint: 'Ask for a new payment.',
  },
  invalid_auth_capture_evm_refund_deadline_expired: {
    ...newPayment,
    title: 'The time for refunds is over',
    hint: 'Send the money yourself.',
  },
  invalid_auth_capture_evm_deadline_ordering: {
    ...newPayment,
    title: 'The deadlines do not follow each other, or are too far away',
    hint: 'Let the payment end before capture, and capture before refund.',
  },
  invalid_auth_capture_evm_authorization_expired: {
    ...newPayment,
    title: 'The payment ends too soon to be collected',
    hint: 'Sign again; check the clock.',
  },
  invalid_auth_capture_evm_authorization_not_yet_valid: {
    ...newPayment,
    title: 'The payment is not valid from the start',
    hint: 'Sign with validAfter 0.',
  },
  invalid_auth_capture_evm_signature: {
    ...newPayment,
    title: 'The signature is not the payer’s',
    hint: 'Sign the collector’s authorization with the key of the payer.',
  },
  invalid_auth_capture_evm_erc6492_factory_not_allowed: {
    ...refused,
    title: 'The wallet is not deployed',
    hint: 'Deploy the wallet first.',
  },
  invalid_auth_capture_evm_amount_mismatch: {
    ...newPayment,
    title: 'The payment is not for the amount of the offer',
    hint: 'Sign for exactly the amount.',
  },
  invalid_auth_capture_evm_token_collector_mismatch: {
    ...newPayment,
    title: 'The payment names another collector',
    hint: 'Sign for the collector of the method, as the specification lists it.',
  },
  invalid_auth_capture_evm_token_mismatch: {
    ...newPayment,
    title: 'The payment is in another token',
    hint: 'Sign for the asset of the offer.',
  },
  invalid_auth_capture_evm_nonce_mismatch: {
    ...newPayment,
    title: 'The nonce is not the hash of the terms',
    hint: 'Take the offer as it is and sign again.',
  },
  invalid_auth_capture_evm_insufficient_balance: {
    ...newPayment,
    title: 'The payer does not have the money',
    hint: 'Fund the account, or pay from another one.',
  },
  invalid_auth_capture_evm_simulation_failed: {
    ...newPayment,
    title: 'It would fail on chain',
    hint: 'Check the account, the token and the deadlines, and sign again.',
  },
  invalid_auth_capture_evm_payment_already_collected: {
    ...newPayment,
    title: 'The payment was collected before',
    hint: 'Sign a new payment.',
  },
  invalid_auth_capture_evm_fee_bps_out_of_range: {
    ...newPayment,
    title: 'The fee is outside what the payer signed',
    hint: 'Take a fee within minFeeBps and maxFeeBps.',
  },
  invalid_auth_capture_evm_fee_receiver: {
    ...newPayment,
    title: 'The fee is for somebody else than the payer signed',
    hint: 'Name the feeRecipient of the offer.',
  },
  invalid_auth_capture_evm_insufficient_authorization: {
    ...newPayment,
    title: 'Less is held than is to be captured',
    hint: 'Capture what is left at the most.',
  },
  invalid_auth_capture_evm_zero_authorization: {
    ...newPayment,
    title: 'Nothing is held',
    hint: 'Capture or void only what is held.',
  },
  invalid_auth_capture_evm_refund_exceeds_capture: {
    ...newPayment,
    title: 'Less was captured than is to be refunded',
    hint: 'Refund what was captured at the most.',
  },
  invalid_auth_capture_evm_transaction_reverted: {
    ...newPayment,
    title: 'It failed on chain',
    hint: 'Read the balances and sign anew.',
  },
  auth_capture_escrow_not_deployed: {
    ...refused,
    title: 'The escrow is not there on this network',
    hint: 'Offer another scheme or network.',
  },
  invalid_batch_settlement_evm_refund_no_balance: {
    ...newPayment,
    title: 'Nothing of the channel is left to be refunded',
    hint: 'What was charged is the seller’s; there is nothing to do.',
  },
  channel_refund_refused: {
    ...newPayment,
    title: 'The seller does not give back what was not spent',
    hint: 'Take it out alone: that takes the withdraw delay of the channel.',
  },
  channel_withdrawal_refused: {
    ...newPayment,
    title: 'The contract does not let this be taken out',
    hint: 'Look how the channel stands: what is claimed is gone, and one withdrawal waits at a time.',
  },
  channel_withdrawal_early: {
    ...newPayment,
    title: 'The withdraw delay is not over',
    hint: 'Come back when it is.',
  },

  // Extensions.
  extension_not_registered: {
    ...config,
    title: 'A route declares an extension that nothing here knows',
    hint: 'Register the extension with the paywall, or take it off the route.',
  },
  extension_invalid: {
    ...newPayment,
    title: 'What the payment says under an extension is malformed',
    hint: 'Fill it in as the extension asks, and sign again.',
  },
  extension_unavailable: {
    ...later,
    title: 'An extension that guards this resource cannot be asked',
    hint: 'Try again later. Nothing was charged.',
  },
  payment_identifier_required: {
    ...client,
    title: 'The payment has no identifier',
    hint: 'Put an id into info of payment-identifier, and send the payment again.',
  },
  payment_identifier_invalid: {
    ...client,
    title: 'The identifier of the payment is malformed',
    hint: 'Use 16 to 128 letters, digits, - and _.',
  },
  payment_identifier_conflict: {
    status: 409,
    retry: 'never',
    title: 'The identifier stands for another request',
    hint: 'Take a new identifier for a new request. Nothing was charged.',
  },
  payment_identifier_spent: {
    status: 409,
    retry: 'never',
    title: 'The identifier was used, and its answer is not kept any more',
    hint: 'Take a new identifier to pay again. Nothing was charged.',
  },
  sign_in_invalid: {
    ...newPayment,
    title: 'The sign-in cannot be read, or its signature is not of that account',
    hint: 'Sign the challenge of this answer, or pay.',
  },
  sign_in_expired: {
    ...newPayment,
    title: 'The sign-in is too old, or not valid yet',
    hint: 'Sign the challenge of this answer, or pay.',
  },
  sign_in_foreign: {
    ...newPayment,
    title: 'The sign-in was made for somebody else, or answers no challenge of ours',
    hint: 'Sign the challenge of this answer, or pay.',
  },
  sign_in_replayed: {
    ...newPayment,
    title: 'The sign-in was used before',
    hint: 'Sign the challenge of this answer, or pay.',
  },
  sign_in_unknown: {
    ...newPayment,
    title: 'This account has paid for nothing here that is left',
    hint: 'Pay.',
  },
  offer_signature_invalid: {
    ...refused,
    title: 'The signature of an offer is not good',
    hint: 'Do not rely on the offer.',
  },
  offer_signer_not_authorized: {
    ...refused,
    title: 'Whoever signed the offer does not speak for its URL',
    hint: 'Do not rely on the offer.',
  },
  offer_expired: { ...refused, title: 'The signed offer is over', hint: 'Ask for a new one.' },
  receipt_signature_invalid: {
    ...refused,
    title: 'The signature of a receipt is not good',
    hint: 'Do not rely on the receipt.',
  },
  receipt_signer_not_authorized: {
    ...refused,
    title: 'Whoever signed the receipt does not speak for its URL',
    hint: 'Do not rely on the receipt.',
  },
  receipt_mismatch: {
    ...refused,
    title: 'The receipt is not of this payment',
    hint: 'Do not rely on the receipt.',
  },
  invalid_transfer_proof_signature: {
    ...refused,
    detail: '402.2',
    title: 'The proof of a transfer is not signed by the account that made it',
    hint: 'Sign it with the account that sent the money, for this resource.',
  },
  transfer_proof_mismatch: {
    ...refused,
    detail: '402.1',
    title: 'The transaction is no plain transfer of this amount to this account',
    hint: 'Present the transaction by which the account itself called transfer of the token.',
  },
  transfer_proof_too_old: {
    ...refused,
    detail: '402.5',
    title: 'The transfer was made too long ago',
    hint: 'Ask the seller: it is not taken any more.',
  },
  transfer_proof_not_final: {
    ...later,
    retry: 'same-payment',
    title: 'The transfer is not in a block that counts yet',
    hint: 'Present the same proof again later; do not pay again.',
  },
  no_transfer_made: {
    ...refused,
    title: 'No transfer that was made fits the offer',
    hint: 'Make the transfer first, or take another offer.',
  },
  request_binding_required: {
    ...newPayment,
    title: 'The payment is not bound to its request',
    hint: 'Make its nonce from the request, as the challenge asks.',
  },
  request_binding_mismatch: {
    ...newPayment,
    title: 'The payment was made for another request',
    hint: 'Bind a new payment to this method, URL and body.',
  },
  refund_request_invalid: {
    status: 400,
    retry: 'never',
    title: 'The request for a refund cannot be read, or is not signed by the payer',
    hint: 'Sign it with the account that paid.',
  },
  refund_request_foreign: {
    status: 403,
    retry: 'never',
    title: 'The request for a refund is for another seller, or from another time',
    hint: 'Name this seller and the time of now.',
  },
  refund_too_late: {
    status: 410,
    retry: 'never',
    title: 'The time for refunds of this payment is over',
    hint: 'Ask the seller by other means.',
  },
  refund_denied: {
    status: 403,
    retry: 'never',
    title: 'The seller gives nothing back for this payment',
    hint: 'Ask the seller by other means.',
  },
  compliance_required: {
    ...newPayment,
    title: 'The payment does not say what has to be known of its payer',
    hint: 'Fill in the fields that the challenge asks for.',
  },
  compliance_invalid: {
    ...newPayment,
    title: 'What the payment says of its payer cannot be read',
    hint: 'Write the fields as the challenge describes them.',
  },
  refund_of_used: {
    status: 409,
    retry: 'never',
    title: 'What is asked back has been used',
    hint: 'Ask for what is not used yet.',
  },
  permit2_allowance_not_replaceable: {
    status: 412,
    retry: 'new-payment',
    title: 'The token changes what Permit2 may take only from zero',
    hint: 'Approve Permit2 yourself, zero first: `groat wallet approve`.',
  },
  facilitator_unauthorized: {
    status: 502,
    retry: 'later',
    title: 'The facilitator does not let this seller in',
    hint: 'A buyer tries again later and tells the seller; a seller gives the facilitator’s API key, as `authorization: Bearer KEY`.',
  },
  facilitator_busy: {
    ...later,
    title: 'The facilitator takes no more for now',
    hint: 'Nothing was charged: a buyer tries again after Retry-After; a seller looks at the quota that the facilitator gives it.',
  },
} as const satisfies Record<ErrorCode, ErrorInfo>

/**
 * The registry's row for a code.
 *
 * @example
 * errorInfo('payment_expired').detail // '402.5'
 */
export function errorInfo(code: ErrorCode): ErrorInfo {
  // A page takes the codes of a newer peer as they come.
  return Object.hasOwn(errorCodes, code) ? errorCodes[code] : errorCodes.unexpected_settle_error
}
