import { openMemoryStore, openStore } from '../src/index.js'
import { describeProcesses } from './process-suite.js'
import { describeStore } from './store-suite.js'
import { tempFolder } from './temp-folder.js'

const folder = tempFolder()

describeStore('sqlite', (options) => openStore(folder.fresh(), options))
describeStore('memory', (options) => openMemoryStore(options))
describeProcesses('sqlite', async () => folder.fresh())
