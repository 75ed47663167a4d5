import type { Law } from './law.js'

/** What wallets signed, reserved and showed. */
export const walletLaws: readonly Law[] = [
  {
    id: 'INV-13',
    says: 'at no moment is more reserved and spent than a budget has',
    judge: ({ wallet }) => {
      if (wallet === undefined) return 'not recorded'
      const limits = new Map(wallet.budgets.map(({ id, limit }) => [id, BigInt(limit)]))
      const used = new Map<string, bigint>()
      const reserved = new Map<string, bigint>()
      return [...wallet.entries]
        .sort((a, b) => a.at - b.at)
        .flatMap(({ kind, budget, intent, amount }) => {
          const key = `${budget} ${intent}`
          const held = reserved.get(key) ?? 0n
          // A reservation becomes what was spent; a release gives it back.
          const after = kind === 'release' ? 0n : BigInt(amount)
          used.set(budget, (used.get(budget) ?? 0n) - held + after)
          reserved.set(key, after)
          return (used.get(budget) ?? 0n) > (limits.get(budget) ?? 0n) ? [`${budget} ${intent}`] : []
        })
    },
  },
  {
    id: 'INV-14',
    says: 'nothing is signed outside the policy',
    judge: ({ wallet }) => {
      if (wallet?.policy === undefined) return 'not recorded'
      const { origins, assets, networks, payTo, maxAmount, maxLifetimeSeconds } = wallet.policy
      return wallet.signatures.flatMap((each) => {
        const isInside =
          origins.includes(each.origin) &&
          assets.includes(each.asset) &&
          networks.includes(each.network) &&
          (payTo === undefined || payTo.includes(each.payTo)) &&
          BigInt(each.amount) <= BigInt(maxAmount) &&
          each.lifetimeSeconds <= maxLifetimeSeconds
        return isInside ? [] : [each.pid]
      })
    },
  },
  {
    id: 'INV-15',
    says: 'a payment is shown to nobody but who asked for it',
    judge: ({ wallet }) =>
      wallet?.requests.flatMap(({ pid, issuer, origin }) => (issuer === origin ? [] : [pid])) ?? 'not recorded',
  },
]
