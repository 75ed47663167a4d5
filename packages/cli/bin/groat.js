#!/usr/bin/env node
// Stands here before anything is built, so that every install links it.
import '../dist/bin.js'
