#include "proto/office_statement.h"

#include <fmt/format.h>

#include <charconv>

#include "proto/bytes_field.h"
#include "proto/limits.h"
#include "proto/office.pb.h"
#include "proto/wire_format.h"

namespace fieldpost {

Bytes prekey_bytes(OfficeId office, std::uint16_t epoch, const BoxPublic& key) {
    ByteWriter out;
    out.u16(value_of(office));
    out.u16(epoch);
    out.raw(key.view());
    return out.take();
}

bool is_endpoint(std::string_view text) {
    constexpr std::string_view scheme = "tcp://";
    if (!text.starts_with(scheme) || text.size() > limits::endpoint_bytes_max) {
        return false;
    }
    const auto address = text.substr(scheme.size());
    const auto colon = address.rfind(':');
    if (colon == std::string_view::npos || colon == 0) {
        return false;
    }
    const auto host = address.substr(0, colon);
    const auto port = address.substr(colon + 1);
    const bool host_is_plain = std::ranges::all_of(host, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view(".-_:[]%").contains(c);
    });
    unsigned number = 0;
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
    return host_is_plain && error == std::errc{} && end == port.data() + port.size() &&
           number >= 1 && number <= 65535;
}

bool is_listen_endpoint(std::string_view text) {
    constexpr std::string_view scheme = "tcp://";
    constexpr std::string_view everywhere = "tcp://*:";
    if (text.starts_with(everywhere)) {
        return is_endpoint(fmt::format("tcp://0.0.0.0:{}", text.substr(everywhere.size())));
    }
    if (!is_endpoint(text)) {
        return false;
    }
    const auto host = text.substr(scheme.size(), text.rfind(':') - scheme.size());
    return host.starts_with('[') || host.find_first_not_of("0123456789.") == std::string_view::npos;
}

namespace {

template <class T>
std::string encoded(const T& value) {
    ByteWriter out;
    write(out, value);
    return field_of(out.bytes());
}

Result<IntervalSet> set_of(const std::string& bytes) {
    if (bytes.empty()) {
        return IntervalSet{};
    }
    ByteReader in(as_bytes(bytes));
    auto set = TRY(read_interval_set(in));
    TRY(in.expect_end("office statement"));
    return set;
}

Result<Prekey> prekey_of(const wire::Prekey& message) {
    if (message.epoch() > UINT16_MAX) {
        return fail(Errc::malformed, "office statement: an epoch over 65535");
    }
    Prekey prekey;
    prekey.epoch = static_cast<std::uint16_t>(message.epoch());
    prekey.key = TRY(array_of_field<BoxPublic>(message.key(), "office statement"));
    prekey.signature = TRY(array_of_field<Signature>(message.signature(), "office statement"));
    return prekey;
}

Result<OwnLog> own_log_of(const wire::OwnLog& message) {
    if (message.record_class() >= record_classes) {
        return fail(Errc::malformed, "office statement: an unknown class");
    }
    OwnLog log;
    ByteReader incarnation(as_bytes(message.incarnation()));
    log.incarnation = TRY(read_incarnation(incarnation));
    TRY(incarnation.expect_end("office statement"));
    log.record_class = static_cast<RecordClass>(message.record_class());
    log.tip = message.tip();
    log.tip_id = TRY(array_of_field<ShortHash>(message.tip_id(), "office statement"));
    log.done = TRY(set_of(message.done()));
    log.withdrawn = TRY(set_of(message.withdrawn()));
    if (log.done.top() > record_number_max) {
        return fail(Errc::malformed, "office statement: done, but no record's number");
    }
    if (!without(log.withdrawn, log.done).empty()) {
        return fail(Errc::malformed, "office statement: withdrawn, but not done");
    }
    return log;
}

}  // namespace

const OwnLog* OfficeStatement::log(Incarnation incarnation, RecordClass record_class) const {
    const auto found = std::ranges::find_if(logs, [&](const OwnLog& one) {
        return one.incarnation == incarnation && one.record_class == record_class;
    });
    return found == logs.end() ? nullptr : &*found;
}

Bytes encode_office_statement(const OfficeStatement& statement) {
    wire::OfficeStatement message;
    for (const auto& prekey : statement.prekeys) {
        auto* added = message.add_prekeys();
        added->set_epoch(prekey.epoch);
        added->set_key(field_of(prekey.key.view()));
        added->set_signature(field_of(prekey.signature.view()));
    }
    message.set_codecs(field_of(statement.codecs));
    for (const auto& endpoint : statement.endpoints) {
        message.add_endpoints(endpoint);
    }
    message.set_software(statement.software);
    message.set_no_carrying(!statement.carries);
    for (const auto& log : statement.logs) {
        auto* added = message.add_logs();
        added->set_incarnation(encoded(log.incarnation));
        added->set_record_class(static_cast<std::uint32_t>(log.record_class));
        added->set_tip(log.tip);
        added->set_tip_id(field_of(log.tip_id.view()));
        if (!log.done.empty()) {
            added->set_done(encoded(log.done));
        }
        if (!log.withdrawn.empty()) {
            added->set_withdrawn(encoded(log.withdrawn));
        }
    }
    message.set_transport_epoch(statement.transport_epoch);
    message.set_roster_version(statement.roster_version);
    return to_bytes(as_bytes(message.SerializeAsString()));
}

namespace {

const MessageRules& statement_rules() {
    static const MessageRules prekey{{{wire::Prekey::kEpochFieldNumber, uint32_field}}};
    static const MessageRules own_log{{
        {wire::OwnLog::kRecordClassFieldNumber, uint32_field},
        {wire::OwnLog::kTipFieldNumber, uint32_field},
    }};
    static const MessageRules statement{{
        {wire::OfficeStatement::kPrekeysFieldNumber, {.is_repeated = true, .message = &prekey}},
        {wire::OfficeStatement::kEndpointsFieldNumber, repeated_bytes},
        {wire::OfficeStatement::kNoCarryingFieldNumber, bool_field},
        {wire::OfficeStatement::kLogsFieldNumber, {.is_repeated = true, .message = &own_log}},
        {wire::OfficeStatement::kTransportEpochFieldNumber, uint32_field},
        {wire::OfficeStatement::kRosterVersionFieldNumber, uint32_field},
    }};
    return statement;
}

}  // namespace

Result<OfficeStatement> decode_office_statement(BytesView payload) {
    TRY(check_fields("office statement", payload, statement_rules()));
    wire::OfficeStatement message;
    if (!message.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
        return fail(Errc::malformed, "office statement: not Protocol Buffers");
    }
    if (message.prekeys_size() > static_cast<int>(limits::prekeys_max) ||
        message.endpoints_size() > static_cast<int>(limits::endpoints_max) ||
        message.logs_size() > static_cast<int>(limits::logs_per_office_max)) {
        return fail(Errc::limit_exceeded, "office statement: too many prekeys, endpoints or logs");
    }
    OfficeStatement statement;
    for (const auto& prekey : message.prekeys()) {
        statement.prekeys.push_back(TRY(prekey_of(prekey)));
    }
    if (std::ranges::adjacent_find(statement.prekeys, std::ranges::greater_equal{},
                                   &Prekey::epoch) != statement.prekeys.end()) {
        return fail(Errc::malformed, "office statement: epochs not ascending");
    }
    statement.codecs = to_bytes(as_bytes(message.codecs()));
    for (const auto& endpoint : message.endpoints()) {
        if (!is_endpoint(endpoint)) {
            return fail(Errc::malformed, "office statement: an endpoint that is none");
        }
        statement.endpoints.push_back(endpoint);
    }
    if (message.software().size() > limits::endpoint_bytes_max) {
        return fail(Errc::limit_exceeded, "office statement: the software's name is too long");
    }
    statement.software = message.software();
    statement.carries = !message.no_carrying();
    for (const auto& log : message.logs()) {
        statement.logs.push_back(TRY(own_log_of(log)));
    }
    const auto order = [](const OwnLog& log) {
        return std::pair(log.incarnation, log.record_class);
    };
    if (std::ranges::adjacent_find(statement.logs, std::ranges::greater_equal{}, order) !=
        statement.logs.end()) {
        return fail(Errc::malformed, "office statement: logs not ascending");
    }
    if (message.transport_epoch() > UINT16_MAX) {
        return fail(Errc::malformed, "office statement: an epoch over 65535");
    }
    statement.transport_epoch = static_cast<std::uint16_t>(message.transport_epoch());
    statement.roster_version = message.roster_version();
    return statement;
}

}  // namespace fieldpost
