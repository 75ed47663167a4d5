/** An amount of tokens as nodes write it, once for machines and twice for people. */
export function tokenAmount(amount: bigint, decimals: number) {
  return {
    uiAmount: Number(amount) / 10 ** decimals,
    decimals,
    amount: amount.toString(),
    uiAmountString: decimalText(amount, decimals),
  }
}

function decimalText(amount: bigint, decimals: number): string {
  if (decimals === 0) return amount.toString()
  const digits = amount.toString().padStart(decimals + 1, '0')
  const point = digits.length - decimals
  return `${digits.slice(0, point)}.${digits.slice(point)}`.replace(/\.?0+$/, '')
}
