import { testRail } from './matrix.js'
import { evm } from './rails/evm.js'

testRail(evm)
