// A message centre on node-smpp: lets ESMEs bind, tells every PDU it gets, sends what it is told to.
'use strict';
const smpp = require('smpp');
const {tell, obey, fields} = require('./lines');

smpp.addTLV('vendor_specific', {id: 0x1403, type: smpp.types.tlv.buffer});

let bindStatus = 0;
let taken = 0;
const sessions = [];

const answers = {
    bind_receiver: pdu => pdu.response({system_id: 'node', command_status: bindStatus}),
    bind_transceiver: pdu => pdu.response({system_id: 'node', command_status: bindStatus}),
    enquire_link: pdu => pdu.response(),
    unbind: pdu => pdu.response(),
    submit_sm: pdu => pdu.response({message_id: String(++taken)}),
};

// What node-smpp has made of a text: its header taken apart, its words read in the alphabet of the data_coding.
const textOf = ({short_message: {message, udh}}) => ({
    text: Buffer.isBuffer(message) ? null : message,
    octets: Buffer.isBuffer(message) ? message.toString('hex') : null,
    udh: udh ? udh.map(element => element.toString('hex')) : null,
});

const server = smpp.createServer(session => {
    const number = sessions.push(session) - 1;
    session.on('pdu', pdu => {
        tell({
            session: number, got: pdu.command, status: pdu.command_status, system_id: pdu.system_id,
            interface_version: pdu.interface_version,
        });
        if (pdu.command in answers) session.send(answers[pdu.command](pdu));
        if (pdu.command === 'submit_sm') {
            tell({
                submitted: String(taken), session: number, to: pdu.destination_addr, from: pdu.source_addr,
                data_coding: pdu.data_coding, registered_delivery: pdu.registered_delivery,
                validity_period: pdu.validity_period, ...textOf(pdu),
            });
        }
        if (pdu.command === 'unbind' || (pdu.command.startsWith('bind') && bindStatus)) session.close();
    });
    session.on('error', error => tell({session: number, error: error.message}));
    session.on('close', () => tell({session: number, closed: true}));
});

obey({
    judge: ({status}) => { bindStatus = status; },
    send: ({session, command, label, with: what}) =>
        sessions[session][command](fields(what), answer => tell({answer: label, got: answer.command, status: answer.command_status})),
    close: ({session}) => sessions[session].close(),
});

server.listen(0, '127.0.0.1', () => tell({listening: server.address().port}));
