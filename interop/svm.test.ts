import { testRail } from './matrix.js'
import { svm } from './rails/svm.js'

testRail(svm)
