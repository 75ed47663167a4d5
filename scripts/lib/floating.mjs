import ts from 'typescript'
import { place } from './program.mjs'

/**
 * Statements that drop a promise: nobody would hear it reject, and one such reject ends a Node process.
 * Awaited, returned, assigned, passed on, `void`ed, or with a rejection handler it is not dropped.
 */
export function floatingPromises(program, { base } = {}) {
  const checker = program.getTypeChecker()
  const problems = []
  for (const sourceFile of program.getSourceFiles()) {
    if (sourceFile.isDeclarationFile || program.isSourceFileFromExternalLibrary(sourceFile)) continue
    const visit = (node) => {
      if (ts.isExpressionStatement(node) && dropsPromise(node.expression, checker)) {
        problems.push(`${place(sourceFile, node.getStart(), base)}: a promise is dropped; await it, or give it a catch`)
      }
      ts.forEachChild(node, visit)
    }
    visit(sourceFile)
  }
  return problems
}

function dropsPromise(expression, checker) {
  if (ts.isParenthesizedExpression(expression)) return dropsPromise(expression.expression, checker)
  if (ts.isVoidExpression(expression) || ts.isAwaitExpression(expression)) return false
  if (ts.isBinaryExpression(expression) && isAssignment(expression.operatorToken.kind)) return false
  return isPromise(checker.getTypeAtLocation(expression), checker) && !isHandled(expression, checker)
}

const isAssignment = (kind) => kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment

function isPromise(type, checker) {
  if (type.isUnion()) return type.types.some((part) => isPromise(part, checker))
  const then = type.flags & ts.TypeFlags.Object ? type.getProperty('then') : undefined
  return then !== undefined && checker.getTypeOfSymbol(then).getCallSignatures().length > 0
}

/** `p.catch(f)`, `p.then(f, g)`, and `finally` after one of them. */
function isHandled(expression, checker) {
  if (!ts.isCallExpression(expression) || !ts.isPropertyAccessExpression(expression.expression)) return false
  const { name, expression: receiver } = expression.expression
  if (!isPromise(checker.getTypeAtLocation(receiver), checker)) return false
  if (name.text === 'catch') return expression.arguments.length > 0
  if (name.text === 'then') return expression.arguments.length > 1
  return name.text === 'finally' && isHandled(receiver, checker)
}
