#include "daemon/runtime/sinks.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "daemon/home/office_home.h"
#include "proto/typed.h"

namespace fieldpost::runtime {

namespace {

constexpr std::size_t sinks_max = 8;
constexpr std::size_t file_bytes_max =
    sinks_max * (Sinks::name_bytes_max + Sinks::trouble_bytes_max + 16);
constexpr std::uint8_t file_version = 1;
constexpr std::size_t told_bytes_max = 1024;
constexpr std::chrono::seconds tell_every{10};
// An hour more than a day: a sink that is started once a day is not late.
constexpr std::int64_t silent_seconds = std::int64_t{25} * 3600;
// The file keeps the time of the last word to the hour.
constexpr std::uint32_t kept_to_seconds = 3600;
// Afterwards it is taken for one that is not used any more.
constexpr std::int64_t forgotten_seconds = std::int64_t{30} * 86400;

std::int64_t seconds_between(WallTime from, WallTime to) {
    return std::int64_t{to.seconds} - std::int64_t{from.seconds};
}

}  // namespace

Sinks::Sinks(std::filesystem::path file) : file_(std::move(file)) {
    const auto bytes = home::read_whole(file_, file_bytes_max);
    if (!bytes) {
        return;
    }
    if (decode(*bytes)) {
        written_ = *bytes;
    } else {
        sinks_.clear();
        spdlog::warn("{} is damaged and begins anew", file_.string());
    }
}

Bytes Sinks::encode() const {
    ByteWriter out;
    out.u8(file_version);
    for (const auto& [name, sink] : sinks_) {
        const auto hour = sink.heard.seconds - sink.heard.seconds % kept_to_seconds;
        out.sized(as_bytes(name));
        out.u32(hour);
        out.sized(as_bytes(sink.trouble));
    }
    return out.take();
}

Result<void> Sinks::decode(BytesView bytes) {
    ByteReader in(bytes);
    if (TRY(in.read_u8()) != file_version) {
        return fail(Errc::unsupported, "sinks: another version");
    }
    while (in.left() > 0) {
        const auto name = TRY(in.read_sized(name_bytes_max));
        Sink sink;
        sink.heard = WallTime{TRY(in.read_u32())};
        sink.trouble = as_text(TRY(in.read_sized(trouble_bytes_max)));
        if (sinks_.size() == sinks_max) {
            return fail(Errc::limit_exceeded, "sinks: more than is written");
        }
        sinks_.insert_or_assign(std::string(as_text(name)), std::move(sink));
    }
    return ok();
}

void Sinks::note(const std::string& name, std::string trouble, WallTime at) {
    if (name.empty() || name.size() > name_bytes_max || trouble.size() > trouble_bytes_max) {
        return;
    }
    if (!sinks_.contains(name) && sinks_.size() == sinks_max) {
        sinks_.erase(std::ranges::min_element(
            sinks_, {}, [](const auto& one) { return one.second.heard.seconds; }));
    }
    sinks_.insert_or_assign(name, Sink{at, std::move(trouble)});
}

std::string Sinks::trouble(WallTime wall) const {
    std::vector<std::string> troubles;
    for (const auto& [name, sink] : sinks_) {
        if (!sink.trouble.empty()) {
            troubles.push_back(fmt::format("{}: {}", name, sink.trouble));
        } else if (seconds_between(sink.heard, wall) > silent_seconds) {
            troubles.push_back(
                fmt::format("{}: nothing was read for it for more than a day", name));
        }
    }
    const auto all = fmt::format("{}", fmt::join(troubles, "; "));
    return std::string(cut_text(all, told_bytes_max));
}

std::optional<engine::Input> Sinks::take_news(Instant now, WallTime wall) {
    if (told_at_ && now < *told_at_ + tell_every) {
        return std::nullopt;
    }
    std::erase_if(sinks_, [&](const auto& one) {
        return seconds_between(one.second.heard, wall) > forgotten_seconds;
    });
    const auto bytes = encode();
    auto now_told = trouble(wall);
    if (bytes == written_ && told_ == now_told) {
        return std::nullopt;
    }
    told_at_ = now;
    if (bytes != written_) {
        // One that cannot be written is tried again with the next change.
        if (const auto written = home::write_whole(file_, bytes, 0600); !written) {
            spdlog::warn("{}", written.error().detail);
        }
        written_ = bytes;
    }
    if (told_ == now_told) {
        return std::nullopt;
    }
    told_ = std::move(now_told);
    return engine::MachineTrouble{engine::What::sink, *told_};
}

}  // namespace fieldpost::runtime
