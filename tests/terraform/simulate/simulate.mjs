// Which of the requests on standard input the policies there allow. Development only; nothing of it is shipped.
import { runSimulation } from '@cloud-copilot/iam-simulate'
import { readFileSync } from 'node:fs'

const { account, cases } = JSON.parse(readFileSync(0))
const said = []
for (const one of cases) {
  const request = {
    principal: one.principal,
    action: one.action,
    resource: { resource: one.resource, accountId: account },
    contextVariables: one.context,
  }
  const policies = one.policies.map((policy, number) => ({ name: `policy-${number}`, policy }))
  const result = await runSimulation(
    {
      request, identityPolicies: policies, resourcePolicy: one.resourcePolicy,
      serviceControlPolicies: [], resourceControlPolicies: [],
    }, {})
  said.push(String(result.result?.evaluationResult ?? result.overallResult ?? JSON.stringify(result).slice(0, 300)))
}
console.log(JSON.stringify(said))
