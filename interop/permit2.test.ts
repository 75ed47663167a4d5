import { testRail } from './matrix.js'
import { permit2 } from './rails/permit2.js'

testRail(permit2)
