// Runs cdk-nag's AwsSolutions and PCI DSS packs over plain templates and writes what they found as JSON. It hides nothing: a rule that breaks on
// a resource is a finding of its own, and so is a template that cannot be read.
//
//     VITRINE_NAG_PACKAGES=FOLDER node nag.mjs OUTPUT.json TEMPLATE...
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, extname, join, resolve } from 'node:path';

// The packages live in the tools' environment, not beside this file.
const require = createRequire(join(resolve(process.env.VITRINE_NAG_PACKAGES), 'package.json'));
const { App, Stack } = require('aws-cdk-lib');
const { CfnInclude } = require('aws-cdk-lib/cloudformation-include');
const { AwsSolutionsChecks, PCIDSS321Checks } = require('cdk-nag');

const rules = new Set();
const findings = [];

function recording(Pack) {
  return class extends Pack {
    applyRule(params) {
      rules.add(`${this.packName}-${params.ruleSuffixOverride ?? params.rule.name}`);
      super.applyRule(params);
    }

    addViolation(rule, params, error) {
      const node = params.node;
      const broke = error ? `the rule could not judge this resource (${error}): ` : '';
      findings.push({ rule, stack: Stack.of(node).node.id, resource: node.node.id, message: broke + params.info });
    }
  };
}

const [output, ...templates] = process.argv.slice(2);
const app = new App({ analyticsReporting: false });
for (const file of templates) {
  const stack = new Stack(app, basename(file, extname(file)), { analyticsReporting: false });
  try {
    new CfnInclude(stack, 'Template', { templateFile: file });
  } catch (error) {
    findings.push({ rule: 'unreadable', stack: stack.node.id, resource: '', message: String(error.message) });
  }
}
for (const Pack of [AwsSolutionsChecks, PCIDSS321Checks]) {
  new (recording(Pack))(app).validateScope(app);
}
writeFileSync(output, JSON.stringify({ rules: rules.size, stacks: app.node.children.length, findings }));
