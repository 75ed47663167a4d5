// A seller's refunds that can be made to die around sending one.
import { network } from '@groat/core'
import { exactEvm as pays, privateKeyAccount } from '@groat/evm/exact/client'
import { exactEvm as sells } from '@groat/evm/exact/server'
import { createFacilitatorClient } from '@groat/server'
import { createLedger } from '@groat/server/ledger'
import { createRefunds } from '@groat/server/refunds'
import { openStore } from '@groat/store'
import { exactSvm as paysSvm, secretKeyAccount } from '@groat/svm/exact/client'
import { exactSvm as sellsSvm } from '@groat/svm/exact/server'

const { SHOP = '', FACILITATOR = '', CRASH = '', EVM_KEY = '', SVM_KEY = '', SVM_RPC = '', NETWORK = '' } = process.env

async function point(name: string): Promise<void> {
  if (name !== CRASH) return
  process.kill(process.pid, 'SIGKILL')
  await new Promise(() => {})
}

const ledger = await createLedger(await openStore(SHOP))
const client = createFacilitatorClient(FACILITATOR)
const evm = pays({ account: privateKeyAccount(EVM_KEY) })
const refunds = await createRefunds({
  ledger,
  facilitator: {
    ...client,
    settle: async (request, options) => {
      await point('before-send')
      const outcome = await client.settle(request, options)
      await point('after-send')
      return outcome
    },
  },
  pays: [
    {
      ...evm,
      prepare: async (offer, context) => {
        const prepared = await evm.prepare(offer, context)
        await point('before-sign')
        return prepared
      },
    },
    paysSvm({ account: secretKeyAccount(SVM_KEY), rpc: SVM_RPC }),
  ],
  sells: [sells, sellsSvm],
})
for (let i = 0; i < 100; i++) {
  await refunds.step()
  const all = await refunds.list()
  const left = all.filter((each) => each.network === network(NETWORK) && each.state !== 'settled')
  if (left.length === 0) break
  await new Promise((resolve) => setTimeout(resolve, 100))
}
process.stdout.write(
  `${JSON.stringify((await refunds.list()).map(({ state, transaction }) => ({ state, transaction })))}\n`,
)
