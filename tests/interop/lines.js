// What both sides of the interoperability tests share: a command per line in, an event per line out.
'use strict';
const readline = require('readline');

exports.tell = event => process.stdout.write(JSON.stringify(event) + '\n');

exports.obey = commands => readline
    .createInterface({input: process.stdin})
    .on('line', line => {
        const command = JSON.parse(line);
        commands[command.do](command);
    })
    .on('close', () => process.exit(0));

// Fields as JSON has them: octets are written {hex: "..."}, and a text with a user data header {udh: {hex}, message}.
const field = value => {
    if (value && value.hex !== undefined) return Buffer.from(value.hex, 'hex');
    if (value && value.udh !== undefined) return {udh: field(value.udh), message: value.message};
    return value;
};
exports.fields = fields => Object.fromEntries(Object.entries(fields || {}).map(([name, value]) => [name, field(value)]));
