// Puts an office's feed into a database: every change exactly once.
//
// Promise: one transaction holds the rows of a page of the feed and the place after it. So whatever
// dies, the database holds what the feed had up to its place, and nothing twice. A database that is
// put back goes on from its own place. An office that is put back begins its feed anew; the rows
// that the database has from before stay.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "cli/command.h"
#include "sink/database.h"
#include "sink/forms.h"

namespace fieldpost::wire {
class Change;
class Entry;
class Feed;
}  // namespace fieldpost::wire

namespace fieldpost::sink {

struct Identity {
    std::string network_id;  // hexadecimal
    std::string network;
    std::string office;
    std::uint32_t source = 0;  // the office's index
};

class Feeder {
public:
    // `attachments`: where their files go; empty: nowhere.
    Feeder(const cli::Common& common, Database& database, Identity identity,
           std::filesystem::path attachments)
        : common_(&common),
          database_(&database),
          identity_(std::move(identity)),
          attachments_(std::move(attachments)),
          forms_(database) {}

    // Returns the place in the feed that the database has come to; opaque; empty: the beginning.
    Done<std::string> begin();
    // Takes in one page, or nothing of it. The office is asked for attachments only.
    cli::Outcome<void> take(const wire::Feed& feed);

    [[nodiscard]] std::uint64_t taken() const { return taken_; }
    [[nodiscard]] std::uint64_t rejected() const { return rejected_; }
    // Makes the views that are behind. One that cannot be made keeps no report back.
    void show_views();
    // Says why views are behind. Empty: they are not.
    [[nodiscard]] const std::string& views_trouble() const { return views_trouble_; }

private:
    struct Item {
        const wire::Change* change = nullptr;
        std::string hash;  // hexadecimal
        std::vector<std::string> sums{};
    };
    // The reports that a transaction touched: what is derived is derived anew for them.
    struct Touched {
        std::set<std::string> all{};
        std::set<std::string> versions{};  // those that are replaced, or not any more
        // Forgotten reports leave these behind: paths of files, and IDs.
        std::set<std::string> files{};
        std::set<std::string> ids{};
    };
    cli::Outcome<std::vector<Item>> items_of(const wire::Feed& feed);
    Done<std::string> hash_of(const wire::Entry& entry);
    Done<bool> is_forgotten(const std::string& hash);
    Done<void> take_together(const wire::Feed& feed, const std::vector<Item>& items);
    Done<void> take_one_by_one(const wire::Feed& feed, const std::vector<Item>& items);
    Done<void> give_names(const std::vector<Item>& items);
    Done<void> write(const Item& item, Touched& touched);
    void write_report(const Item& item, Touched& touched);
    void write_attachments(const Item& item);
    void write_answer(const Item& item);
    Done<void> forget(const Item& item, Touched& touched);
    Done<void> remove_files(const Touched& touched);
    void derive(const Touched& touched);
    void move_on(const wire::Feed& feed);
    [[nodiscard]] Done<void> roll_back(Trouble trouble);

    const cli::Common* common_;
    Database* database_;
    Identity identity_;
    std::filesystem::path attachments_;
    Forms forms_;
    std::uint64_t taken_ = 0;
    std::uint64_t rejected_ = 0;
    std::string views_trouble_;
};

}  // namespace fieldpost::sink
