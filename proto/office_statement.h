// The statement of an office in its office register: how to seal to the office, how to reach it,
// and which of its own records no office needs to carry any more.
#pragma once

#include <string>
#include <vector>

#include "proto/interval_set.h"
#include "proto/register.h"
#include "proto/vocabulary.h"

namespace fieldpost {

struct Prekey {
    std::uint16_t epoch = 0;
    BoxPublic key;
    Signature signature;  // by the mail-class key, over prekey_bytes under the label "prekey"
    bool operator==(const Prekey&) const = default;
};
Bytes prekey_bytes(OfficeId office, std::uint16_t epoch, const BoxPublic& key);

struct OwnLog {
    Incarnation incarnation;
    RecordClass record_class{};
    Number tip = 0;  // the highest published number, 0 if none
    ShortHash tip_id;
    IntervalSet done;
    IntervalSet withdrawn;
    bool operator==(const OwnLog&) const = default;
};

struct OfficeStatement {
    std::vector<Prekey> prekeys;
    Bytes codecs;
    std::vector<std::string> endpoints;
    std::string software;
    bool carries = true;
    std::vector<OwnLog> logs;
    std::uint16_t transport_epoch = 0;
    std::uint32_t roster_version = 0;
    bool operator==(const OfficeStatement&) const = default;
    // Null if the statement has no entry for that log.
    [[nodiscard]] const OwnLog* log(Incarnation incarnation, RecordClass record_class) const;
};

Bytes encode_office_statement(const OfficeStatement& statement);
// malformed or limit_exceeded. Unknown fields are ignored; the register is passed on verbatim.
Result<OfficeStatement> decode_office_statement(BytesView payload);

// Only "tcp://host:port", so that no statement of a peer can make us dial anything but TCP.
bool is_endpoint(std::string_view text);
// An endpoint without a name, or "tcp://*:port", which means every address of this machine.
bool is_listen_endpoint(std::string_view text);

}  // namespace fieldpost
