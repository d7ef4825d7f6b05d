// A carrier's gateway on node-smpp: connects, sends what it is told to, tells every PDU it gets.
'use strict';
const smpp = require('smpp');
const {tell, obey, fields} = require('./lines');

let session;

obey({
    connect: ({port}) => {
        session = smpp.connect({host: '127.0.0.1', port}, () => tell({connected: true}));
        session.on('pdu', pdu => {
            tell({got: pdu.command, status: pdu.command_status});
            if (pdu.command === 'enquire_link') session.send(pdu.response());
        });
        session.on('error', error => tell({error: error.message}));
        session.on('close', () => tell({closed: true}));
    },
    send: ({command, label, with: what}) => session[command](fields(what), answer => tell({
        answer: label, got: answer.command, status: answer.command_status, message_id: answer.message_id,
        sc_interface_version: answer.sc_interface_version,
    })),
});
