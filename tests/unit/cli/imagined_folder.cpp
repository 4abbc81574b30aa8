#include "tests/unit/cli/imagined_folder.h"

#include <fmt/format.h>

#include <algorithm>

#include <sstream>

#include "daemon/runtime/bookmark.h"

namespace fieldpost::tests {

using namespace cli;

namespace {

Reports numbers_in(const std::string& text) {
    Reports numbers;
    std::istringstream in(text);
    for (std::string one; std::getline(in, one, ',');) {
        // Pieces that are no number are skipped. In a list of reports a number that was cut off has
        // no comma behind it, and the caller has removed it.
        if (!one.empty() && one.find_first_not_of("0123456789") == std::string::npos) {
            numbers.insert(std::stoi(one));
        }
    }
    return numbers;
}

std::string text_of(const Reports& numbers) {
    std::string text;
    for (const auto number : numbers) {
        text += std::to_string(number) + ",";
    }
    return text;
}

Reports without(Reports some, const Reports& others) {
    for (const auto number : others) {
        some.erase(number);
    }
    return some;
}

struct Parsed {
    std::string writer;
    int counter = 0;
    std::uint32_t place = 0;
    Reports has;
    Reports holds;
    bool is_whole = false;
};

std::optional<Parsed> parsed(const std::string& content) {
    std::istringstream in(content);
    std::string word;
    Parsed bundle;
    if (!(in >> word) || word != "FP" || !(in >> bundle.writer >> bundle.counter >> bundle.place)) {
        return std::nullopt;
    }
    while (in >> word) {
        if (word.starts_with("S:")) {
            bundle.has = numbers_in(word.substr(2));
        } else if (word.starts_with("R:")) {
            bundle.holds = numbers_in(word.substr(2, word.rfind(',') + 1 - 2));
        }
        bundle.is_whole = bundle.is_whole || word == "END";
    }
    return bundle;
}

std::string said_by(const Parsed& bundle) {
    return std::to_string(bundle.counter) + ";" + text_of(bundle.has);
}

// The tail is the daemon's own. Only its content is imagined.
std::string tail_of(const Parsed& bundle) {
    const runtime::Tail tail{to_bytes(as_bytes(said_by(bundle))),
                             static_cast<std::uint8_t>(bundle.place - 1)};
    return std::string(as_text(encode(tail)));
}

}  // namespace

void ImaginedFolder::put(const std::string& name, const std::string& content, std::int64_t size) {
    auto& file = files[name];
    const auto inode = file.stamp.inode == 0 ? ++inode_ : file.stamp.inode;
    file.content = content;
    file.stamp = {size < 0 ? static_cast<std::int64_t>(content.size()) : size, ++tick_, tick_, 1,
                  inode};
}

void ImaginedFolder::touch(const std::string& name) {
    auto& stamp = files.at(name).stamp;
    stamp.modified_ns = stamp.changed_ns = ++tick_;
}

void ImaginedFolder::rename(const std::string& from, const std::string& to) {
    auto moved = files.extract(from);
    moved.key() = to;
    moved.mapped().stamp.changed_ns = ++tick_;
    files.erase(to);
    files.insert(std::move(moved));
}

ImaginedOffice::ImaginedOffice(ImaginedFolder& folder, std::string name,
                               std::vector<std::string> all)
    : folder_(folder), name_(std::move(name)), all_(std::move(all)) {
    restart();
}

void ImaginedOffice::queue(int report, bool is_urgent) {
    reports_.insert(report);
    own_.insert(report);
    urgent_known_ += is_urgent ? 1 : 0;
    ++version_;
}

void ImaginedOffice::turn() {
    if (folder_.now >= next_) {
        next_ = follower_->turn().value();
    }
}

Reports ImaginedOffice::left() const {
    Reports all;
    for (const auto& [name, file] : folder_.files) {
        if (const auto bundle = parsed(file.content); bundle && bundle->writer == name_) {
            all.insert(bundle->holds.begin(), bundle->holds.end());
        }
    }
    return all;
}

int ImaginedOffice::files_left() const {
    return static_cast<int>(std::ranges::count_if(folder_.files, [&](const auto& entry) {
        const auto bundle = parsed(entry.second.content);
        return bundle && bundle->writer == name_;
    }));
}

Outcome<FolderPlace> ImaginedOffice::place() {
    return folder_.is_there ? Outcome<FolderPlace>(folder_.place)
                            : std::unexpected(Failure{exit_not_found, "not_found", "gone", ""});
}

Outcome<bool> ImaginedOffice::list(std::size_t names_max,
                                   const std::function<void(const std::string&)>& see) {
    std::size_t names = 0;
    for (const auto& [name, file] : folder_.files) {
        if (++names > names_max) {
            return false;
        }
        folder_.spend(folder_.cost_of_name);
        see(name);
    }
    return true;
}

std::optional<Stamp> ImaginedOffice::stamp(const std::string& name) {
    folder_.spend(folder_.cost_of_stamp);
    const auto file = folder_.files.find(name);
    return file == folder_.files.end() || !file->second.is_plain
               ? std::nullopt
               : std::optional(file->second.stamp);
}

Outcome<void> ImaginedOffice::remove(const std::string& name, const Stamp& stamp) {
    const auto file = folder_.files.find(name);
    if (file == folder_.files.end() || file->second.stamp != stamp) {
        return {};
    }
    const auto bundle = parsed(file->second.content);
    has_removed_foreign =
        has_removed_foreign || !(is_own_part(name) || (bundle && bundle->writer == name_));
    folder_.files.erase(file);
    return {};
}

Outcome<std::optional<ReadBundle>> ImaginedOffice::read(const std::string& name,
                                                        std::uint64_t bytes_max) {
    const auto found = folder_.files.find(name);
    if (found == folder_.files.end() || !found->second.is_plain) {
        done_.erase(name);
        return std::unexpected(Failure{exit_not_found, "not_found", "not there", ""});
    }
    const auto& file = found->second;
    if (!file.is_readable) {
        return std::unexpected(Failure{exit_refused, "no_access", "cannot be read", ""});
    }
    auto& done = done_[name];
    const auto size = static_cast<std::uint64_t>(file.stamp.size);
    const auto now = std::min(bytes_max, size - std::min(size, done));
    done += now;
    bytes_read += now;
    ++pieces_read;
    folder_.now += std::chrono::nanoseconds(now * 1'000'000'000 / folder_.bytes_per_second);
    if (done < size) {
        return std::nullopt;
    }
    done_.erase(name);
    ReadBundle told;
    const auto bundle = parsed(file.content);
    if (!bundle) {
        return told;
    }
    told.is_bundle = true;
    told.is_whole = bundle->is_whole;
    told.office = bundle->writer;
    told.is_own = bundle->writer == name_;
    told.made_unix_s = bundle->counter;
    told.bookmark = text_of(bundle->holds);
    if (told.is_own) {
        told.tail = tail_of(*bundle);
        return told;
    }
    const auto news = without(bundle->holds, reports_);
    told.new_reports = news.size();
    reports_.insert(news.begin(), news.end());
    auto& [counter, has] = said_[bundle->writer];
    if (bundle->is_whole && bundle->counter > counter) {
        version_ += has != bundle->has ? 1 : 0;
        counter = bundle->counter;
        has = bundle->has;
    }
    version_ += news.empty() ? 0 : 1;
    return told;
}

Outcome<Standing> ImaginedOffice::standing(const std::string& state_then) {
    return Standing{state_then == state(), 1, urgent_known_};
}

Outcome<std::vector<std::size_t>> ImaginedOffice::row_among(
    const std::vector<RowCandidate>& files) {
    std::vector<runtime::NamedTail> named;
    for (const auto& [name, bookmark, tail] : files) {
        named.push_back({name, runtime::decode_tail(as_bytes(tail))});
    }
    return runtime::row_among(named);
}

// Reports that some other office has not listed in its bundle.
Reports ImaginedOffice::lacked() const {
    Reports lacking;
    for (const auto& other : all_) {
        const auto said = said_.find(other);
        if (other != name_) {
            const auto more =
                without(reports_, said == said_.end() ? Reports{} : said->second.second);
            lacking.insert(more.begin(), more.end());
        }
    }
    return lacking;
}

Outcome<Written> ImaginedOffice::write(const WriteOptions& order, const FolderPlace& place) {
    if (while_writing) {
        while_writing();
    }
    if (folder_.is_full || place != folder_.place) {
        return std::unexpected(Failure{exit_no_space, "no_space", "the disk is full", ""});
    }
    Parsed bundle{name_, ++counter_, 1, reports_, lacked(), true};
    bool has_news = !order.must_hold_news;
    Written written;
    const auto [row, tail, is_only_addition] = order.row.value_or(WriteOptions::Row{});
    written.is_addition = !row.empty();
    auto name = fmt::format("{}{:x}.bin", name_, ++next_name_);
    if (written.is_addition) {
        bundle.place = static_cast<std::uint32_t>(row.size()) + 1;
        for (const auto& before : row) {
            bundle.holds = without(bundle.holds, numbers_in(before));
        }
        const auto last = runtime::decode_tail(as_bytes(tail)).said;
        const auto said = std::string(as_text(last));
        has_news =
            has_news || !without(reports_, numbers_in(said.substr(said.find(';') + 1))).empty();
        name = runtime::name_after(last, static_cast<std::uint16_t>(folder_.dice()));
    }
    for (const auto& other : order.others) {
        bundle.holds = without(bundle.holds, without(numbers_in(other), own_));
    }
    written.bookmark = text_of(bundle.holds);
    written.tail = tail_of(bundle);
    written.state = state();
    if (!has_news && bundle.holds.empty()) {
        return written;
    }
    if (folder_.files.contains(name)) {
        return std::unexpected(Failure{exit_invalid, "invalid", "it is there already", ""});
    }
    folder_.put(name, fmt::format("FP {} {} {} S:{} R:{} END", bundle.writer, bundle.counter,
                                  bundle.place, text_of(bundle.has), text_of(bundle.holds)));
    written.files = {name};
    written.reports = bundle.holds.size();
    return written;
}

Outcome<void> ImaginedOffice::tell(const std::string& trouble) {
    trouble_ = trouble;
    return {};
}

void pass(ImaginedFolder& folder, const std::vector<ImaginedOffice*>& offices,
          std::chrono::milliseconds time, const std::function<void()>& between,
          std::chrono::milliseconds step) {
    for (const auto until = folder.now + time; folder.now < until; folder.now += step) {
        if (between) {
            between();
        }
        for (auto* office : offices) {
            office->turn();
        }
    }
}

}  // namespace fieldpost::tests
