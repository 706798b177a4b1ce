# ca-database.tcl --
#       The database side of tls::ca where -database is a TDBC connection: all SQL, and nothing else.
#       What is asked and changed is decided natively, which calls tls::CaDatabase.
#
# Values reach the database as bound variables only. What a statement says besides is written here,
# with numbers that this file has counted or computed. Statements are prepared once per connection, and kept in the
# connection's own namespace, so that they go with it.

# The commands of the ensemble have the connection as their first argument.
namespace eval ::tls::CaDatabase {
    # The version of the schema that this file makes and knows.
    variable version 1

    # How many records one statement adds, looks for or reads.
    variable addedAtOnce 50
    variable soughtAtOnce 100
    variable readAtOnce 5000

    # Words that databases have different ones for: a number that counts up by itself, a text of any
    # length, a text that can be a key, what follows a table's columns; what makes a row that is read
    # others' to wait for; and how the columns of many rows become one text.
    variable dialects {
        sqlite3 {
            @key@ {INTEGER PRIMARY KEY AUTOINCREMENT}
            @text@ TEXT
            @word@ TEXT
            @end@ {}
            @lock@ {}
            @lines@ {group_concat(
                serial || char(9) || expiry || char(9) || revocation || char(9) || expires
                    || char(9) || place,
                char(10))}
        }
        postgres {
            @key@ {BIGSERIAL PRIMARY KEY}
            @text@ TEXT
            @word@ TEXT
            @end@ {}
            @lock@ {FOR UPDATE}
            @lines@ {string_agg(
                concat_ws(chr(9), serial, expiry, revocation, expires, place),
                chr(10))}
        }
        mysql {
            @key@ {BIGINT AUTO_INCREMENT PRIMARY KEY}
            @text@ MEDIUMTEXT
            @word@ {VARCHAR(255)}
            @end@ {ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin}
            @lock@ {FOR UPDATE}
            @lines@ {group_concat(
                concat_ws(char(9), serial, expiry, revocation, expires, place)
                separator '
')}
        }
    }

    # The schema, statement by statement. The manual page tls_ca explains it.
    variable schema {
        {
            CREATE TABLE tls_ca_state (
                id INTEGER PRIMARY KEY,
                changes BIGINT NOT NULL,
                serial @word@,
                crl_number @word@,
                unique_subject INTEGER NOT NULL,
                last_list BIGINT
            ) @end@
        }
        {
            CREATE TABLE tls_ca_certificate (
                place @key@,
                status CHAR(1) NOT NULL,
                expiry @word@ NOT NULL,
                expires BIGINT NOT NULL,
                revocation @word@ NOT NULL,
                serial @word@ NOT NULL,
                file @text@ NOT NULL,
                subject @text@ NOT NULL,
                subject_hash CHAR(64) NOT NULL,
                certificate @text@
            ) @end@
        }
        {
            CREATE UNIQUE INDEX tls_ca_by_serial ON tls_ca_certificate (serial)
        }
        {
            CREATE INDEX tls_ca_by_subject ON tls_ca_certificate (subject_hash, status)
        }
        {
            CREATE INDEX tls_ca_by_end ON tls_ca_certificate (status, expires, place)
        }
        {
            CREATE TABLE tls_ca_version (version INTEGER NOT NULL) @end@
        }
    }

    # What a record is read as, and what it is written as.
    variable record {place, status, expiry, revocation, serial, file, subject}
    variable columns {
        status expiry expires revocation serial file subject subject_hash certificate
    }

    namespace export \[a-z\]*
    namespace ensemble create -parameters database
}

# tls::CaDatabase db kind --
#       Which database this is.
#
# Arguments:
#       database    The connection.
#
# Results:
#       sqlite3, postgres or mysql.
#
# Errors:
#       For a driver that isn't known.
proc ::tls::CaDatabase::kind {database} {
    variable dialects
    foreach kind [dict keys $dialects] {
        set class ::tdbc::${kind}::connection
        if {[info object isa class $class] && [info object isa typeof $database $class]} {
            return $kind
        }
    }
    throw {TLS CA OPTION -database} \
        "the driver of \"$database\" isn't known: must be tdbc::sqlite3, tdbc::postgres or tdbc::mysql"
}

# tls::CaDatabase db place --
#       Tells the file that a database is.
#
# Arguments:
#       database    The connection.
#
# Results:
#       The file's name; nothing for a database that is none, or that is one of a server.
proc ::tls::CaDatabase::place {database} {
    if {[kind $database] ne "sqlite3"} {
        return
    }
    namespace upvar [info object namespace $database] tlsPlace place
    if {![info exists place]} {
        # SQLite has the main database first.
        set place [lindex [Ask $database {PRAGMA database_list}] 0 2]
    }
    return $place
}

# tls::CaDatabase db begin --
#       Begins a transaction. One that changes anything waits until no other does. One that only looks
#       sees everything as it was at one moment.
#
# Arguments:
#       database    The connection.
#       purpose     look, add or change.
#       patience    How many milliseconds to wait.
#
# Results:
#       A list of the next serial number, the next CRL number, whether subjects are unique, and when
#       the last revocation list was made; what isn't known is empty.
#
# Errors:
#       When the connection is in a transaction, which stays as it is.
proc ::tls::CaDatabase::begin {database purpose patience} {
    set kind [kind $database]
    Begin $database $kind $purpose $patience
    try {
        set state [State $database $kind [expr {$purpose eq "change"}]]
        # Who adds under a random serial number needs nobody to wait, unless for the subject's sake.
        if {$purpose eq "add" && [lindex $state 2]} {
            set state [State $database $kind 1]
        }
        # In MySQL a command that died can have left tables, empty.
        if {$state eq {}} {
            Absent
        }
        return $state
    } on error {message options} {
        catch {rollback $database}
        Explain $database $kind $message $options
    }
}

# tls::CaDatabase db commit, tls::CaDatabase db rollback --
#       End a transaction.
#
# Arguments:
#       database    The connection.
#
# Results:
#       None.
proc ::tls::CaDatabase::commit {database} {
    try {
        End $database commit
    } on error {message options} {
        catch {End $database rollback}
        return -options $options $message
    } finally {
        Restore $database
    }
    return
}
proc ::tls::CaDatabase::rollback {database} {
    try {
        End $database rollback
    } finally {
        Restore $database
    }
    return
}

# tls::CaDatabase db create --
#       Makes the tables, and begins a transaction that changes them.
#
# Arguments:
#       database    The connection.
#       unique      Whether the subjects of valid certificates must differ.
#       patience    How many milliseconds to wait.
#
# Results:
#       None.
#
# Errors:
#       When there is an authority already, or a table of somebody else's.
proc ::tls::CaDatabase::create {database unique patience} {
    variable version
    set kind [kind $database]
    if {$kind eq "sqlite3"} {
        # Readers and a writer don't wait for each other then. Where it can't be had, they do.
        catch {Ask $database {PRAGMA journal_mode = WAL}}
    }
    Begin $database $kind change $patience
    try {
        if {![Present $database $kind tls_ca_version]} {
            Tables $database $kind
            if {$kind eq "mysql"} {
                # Making a table has ended the transaction.
                commit $database
                Begin $database $kind change $patience
            }
        }
        set found [Version $database]
        if {$found eq {}} {
            Ask $database {INSERT INTO tls_ca_version (version) VALUES (:version)} \
                [dict create version $version]
        } elseif {$found ne $version} {
            Unknown $found
        }
        if {[llength [State $database $kind 1]] > 0} {
            throw {TLS CA DATABASE present} "the database has an authority already"
        }
        Ask $database {
            INSERT INTO tls_ca_state (id, changes, unique_subject) VALUES (1, 0, :flag)
        } [dict create flag $unique]
    } on error {message options} {
        catch {rollback $database}
        return -options $options $message
    }
    return
}

# tls::CaDatabase db record --
#       Finds a record by its serial number.
#
# Arguments:
#       database    The connection.
#       serial      The serial number.
#
# Results:
#       A list with the record, or an empty one.
proc ::tls::CaDatabase::record {database serial} {
    variable record
    return [Ask $database "SELECT $record FROM tls_ca_certificate WHERE serial = :serial" \
        [dict create serial $serial]]
}

# tls::CaDatabase db taken --
#       Tells which serial numbers have records.
#
# Arguments:
#       database    The connection.
#       serials     A list of serial numbers.
#
# Results:
#       A list of those that have.
proc ::tls::CaDatabase::taken {database serials} {
    variable soughtAtOnce
    set found {}
    for {set at 0} {$at < [llength $serials]} {incr at $soughtAtOnce} {
        set part [lrange $serials $at [expr {$at + $soughtAtOnce - 1}]]
        lassign [Among $part] marks values
        lappend found {*}[Ask $database \
            "SELECT serial FROM tls_ca_certificate WHERE serial IN ($marks)" $values]
    }
    return [concat {*}$found]
}

# tls::CaDatabase db valid --
#       Finds the subjects of valid records.
#
# Arguments:
#       database    The connection.
#       hashes      A list of hashes of subjects.
#
# Results:
#       A list of the records that have one of these and are valid.
proc ::tls::CaDatabase::valid {database hashes} {
    variable soughtAtOnce
    variable record
    set found {}
    for {set at 0} {$at < [llength $hashes]} {incr at $soughtAtOnce} {
        set part [lrange $hashes $at [expr {$at + $soughtAtOnce - 1}]]
        lassign [Among $part] marks values
        lappend found {*}[Ask $database "
            SELECT $record FROM tls_ca_certificate
            WHERE status = 'V' AND subject_hash IN ($marks)
        " $values]
    }
    return $found
}

# tls::CaDatabase db all, tls::CaDatabase db certificates --
#       Read the next records in the order in which they were added; certificates adds to each the
#       certificate, and what records are found by.
#
# Arguments:
#       database    The connection.
#       after       The place of the last record that was read, at first 0.
#
# Results:
#       A list of records, an empty one at the end.
proc ::tls::CaDatabase::all {database after} {
    variable record
    variable readAtOnce
    return [Ask $database "
        SELECT $record FROM tls_ca_certificate
        WHERE place > :place ORDER BY place LIMIT $readAtOnce
    " [dict create place $after]]
}
proc ::tls::CaDatabase::certificates {database after} {
    variable record
    return [Ask $database "
        SELECT $record, certificate, expires, subject_hash FROM tls_ca_certificate
        WHERE place > :place ORDER BY place LIMIT 500
    " [dict create place $after]]
}

# tls::CaDatabase db ended --
#       Reads the next valid records that have ended, in the order of their ends.
#
# Arguments:
#       database    The connection.
#       now         The time, in seconds since 1970.
#       expires     The end of the last record that was read, at first a number below all.
#       after       The place of the last record that was read, at first 0.
#
# Results:
#       A list of records, each with its end behind it; an empty one at the end.
proc ::tls::CaDatabase::ended {database now expires after} {
    variable record
    return [Behind $database %s \
        "SELECT $record, expires FROM tls_ca_certificate WHERE status = 'V' AND expires <= :now" \
        [dict create now $now expires $expires place $after]]
}

# tls::CaDatabase db revoked --
#       Reads the next records of revoked certificates. The database makes one text of them, since
#       drivers take much longer for a row than it does.
#
# Arguments:
#       database    The connection.
#       expires     The greatest end of the records that were read, at first a number below all.
#       after       The greatest place of those that have this end, at first 0.
#
# Results:
#       A text with a line for each record, of serial number, expiry, revocation, end and place, with
#       tabs between; an empty one at the end.
proc ::tls::CaDatabase::revoked {database expires after} {
    variable dialects
    set lines [dict get $dialects [kind $database] @lines@]
    return [lindex [Behind $database "SELECT $lines FROM (%s) AS page" {
        SELECT serial, expiry, revocation, expires, place FROM tls_ca_certificate WHERE status = 'R'
    } [dict create expires $expires place $after]] 0 0]
}

# tls::CaDatabase db add --
#       Adds records.
#
# Arguments:
#       database    The connection.
#       rows        A list of lists: status, expiry, end in seconds, revocation, serial number, file,
#                   subject, the subject's hash, and the certificate, which may be empty.
#
# Results:
#       None.
proc ::tls::CaDatabase::add {database rows} {
    variable addedAtOnce
    set whole [expr {[llength $rows] / $addedAtOnce * $addedAtOnce}]
    for {set at 0} {$at < $whole} {incr at $addedAtOnce} {
        Add $database [lrange $rows $at [expr {$at + $addedAtOnce - 1}]]
    }
    foreach row [lrange $rows $whole end] {
        Add $database [list $row]
    }
    return
}

# tls::CaDatabase db change --
#       Gives the record of a serial number another status.
#
# Arguments:
#       database    The connection.
#       serial      The serial number.
#       status      The status.
#       revocation  What the record says of the revocation.
#
# Results:
#       None.
proc ::tls::CaDatabase::change {database serial status revocation} {
    Ask $database {
        UPDATE tls_ca_certificate SET status = :status, revocation = :revocation
        WHERE serial = :serial
    } [dict create serial $serial status $status revocation $revocation]
    return
}

# tls::CaDatabase db unname, tls::CaDatabase db mend --
#       Put records in the places of others: those have no serial number any more first, and then each
#       gets its record.
#
# Arguments:
#       database    The connection.
#       places      A list of places.
#       place       A place.
#       row         What add takes of a record.
#
# Results:
#       None.
proc ::tls::CaDatabase::unname {database places} {
    foreach place $places {
        Ask $database {UPDATE tls_ca_certificate SET serial = :name WHERE place = :place} \
            [dict create name "at $place" place $place]
    }
    return
}
proc ::tls::CaDatabase::mend {database place row} {
    variable columns
    set values [dict create place $place]
    foreach column $columns value $row {
        if {$column ne "certificate" || $value ne {}} {
            dict set values $column $value
        }
    }
    Ask $database "
        UPDATE tls_ca_certificate SET [join [lmap column $columns {string cat $column { = :} $column}] ,]
        WHERE place = :place
    " $values
    return
}

# tls::CaDatabase db expire --
#       Marks the valid records that have ended.
#
# Arguments:
#       database    The connection.
#       now         The time, in seconds since 1970.
#
# Results:
#       None.
proc ::tls::CaDatabase::expire {database now} {
    Ask $database {
        UPDATE tls_ca_certificate SET status = 'E' WHERE status = 'V' AND expires <= :now
    } [dict create now $now]
    return
}

# tls::CaDatabase db state --
#       Changes what the next certificate or revocation list will get, and when the last list was made.
#       Counts the change, whatever it was.
#
# Arguments:
#       database    The connection.
#       values      A dict with any of serial, crl_number and last_list.
#
# Results:
#       None.
proc ::tls::CaDatabase::state {database values} {
    set changes [list {changes = changes + 1}]
    foreach column {serial crl_number last_list} {
        if {[dict exists $values $column]} {
            lappend changes "$column = :$column"
        }
    }
    Ask $database "UPDATE tls_ca_state SET [join $changes {, }] WHERE id = 1" $values
    return
}

# ---- Transactions ---------------------------------------------------------------------------------

# Begins a transaction, with what must be so for its time. The caller's own is never taken for one.
#
# In servers, one that changes anything sees at each question what others have done by then: it asks
# when it has the lock, and nothing that was seen before counts.
proc ::tls::CaDatabase::Begin {database kind purpose patience} {
    Begin($kind) $database $purpose $patience
}
proc ::tls::CaDatabase::Begin(sqlite3) {database purpose patience} {
    # SQLite's own way to wait for others sleeps longer and longer, and nobody works meanwhile.
    set handle [$database getDBhandle]
    Keep $database [list apply {{database handle busy} {
        $handle busy {}
        $database configure -timeout [$database configure -timeout]
        if {$busy ne {}} {
            $handle busy $busy
        }
    }} $database $handle [$handle busy]]
    $handle busy [list ::tls::CaDatabase::Waited [expr {[clock milliseconds] + $patience}]]
    set synchronous [lindex [Ask $database {PRAGMA synchronous}] 0 0]
    if {$synchronous < 2 && $purpose ne "look"} {
        # Only so does a commit wait for the disk. In a transaction of the caller's it fails, as the next does.
        catch {
            Ask $database {PRAGMA synchronous = FULL}
            Keep $database [list ::tls::CaDatabase::Ask $database "PRAGMA synchronous = $synchronous"]
        }
    }
    try {
        Ask $database [expr {$purpose eq "look" ? "BEGIN" : "BEGIN IMMEDIATE"}]
    } on error {message options} {
        Restore $database
        if {[string match "*within a transaction*" $message]} {
            Inside
        }
        return -options $options $message
    }
}
proc ::tls::CaDatabase::Begin(postgres) {database purpose patience} {
    # PostgreSQL only warns of a transaction in a transaction. But a setting that is local to one is gone
    # with the next statement, unless there was one.
    Ask $database {SELECT set_config('tls_ca.inside', 'yes', true)}
    if {[lindex [Ask $database {SHOW tls_ca.inside}] 0 0] eq "yes"} {
        Inside
    }
    Ask $database "BEGIN ISOLATION LEVEL [expr {
    $purpose eq "look" ? "REPEATABLE READ, READ ONLY" : "READ COMMITTED"
}]"
    Ask $database "SET LOCAL lock_timeout = [expr {max(1, $patience)}]"
}
proc ::tls::CaDatabase::Begin(mysql) {database purpose patience} {
    # The server takes no bound variables here, and TDBC takes the server's own for such, but not in what
    # only the server knows to be no comment.
    set save {}
    set change {}
    set restore {}
    foreach {variable value} [list innodb_lock_wait_timeout [expr {max(1, ($patience + 999) / 1000)}] \
        group_concat_max_len 16777216 sql_mode 'STRICT_ALL_TABLES' character_set_client utf8mb4 \
        character_set_connection utf8mb4 character_set_results utf8mb4] {
        lappend save "@tls_$variable = @@SESSION.$variable"
        lappend change "SESSION $variable = $value"
        lappend restore "SESSION $variable = @tls_$variable"
    }
    Ask $database "/*! SET [join [concat $save $change] ,] */"
    Keep $database [list ::tls::CaDatabase::Ask $database "/*! SET [join $restore ,] */"]
    try {
        # This is refused in a transaction of the caller's, which beginning another one would end.
        Ask $database "SET TRANSACTION ISOLATION LEVEL [expr {
    $purpose eq "look" ? "REPEATABLE READ" : "READ COMMITTED"
}]"
        $database begintransaction
    } on error {message options} {
        Restore $database
        if {[lindex [dict get $options -errorcode] 2] in {25001 HYC00}} {
            Inside
        }
        return -options $options $message
    }
}

# Ends a transaction, by commit or rollback.
proc ::tls::CaDatabase::End {database how} {
    switch [kind $database] {
        mysql {
            $database $how
        }
        default {
            Ask $database [string toupper $how]
        }
    }
}

# Says that the caller has begun a transaction.
proc ::tls::CaDatabase::Inside {} {
    throw {TLS CA DATABASE transaction} \
        "the connection is in a transaction, and each command is one of its own"
}

# Notes what gives a connection back what Begin has changed.
proc ::tls::CaDatabase::Keep {database script} {
    namespace upvar [info object namespace $database] tlsKept kept
    lappend kept $script
}

# Gives a connection back what Begin has changed.
proc ::tls::CaDatabase::Restore {database} {
    namespace upvar [info object namespace $database] tlsKept kept
    if {![info exists kept]} {
        return
    }
    set scripts $kept
    unset kept
    foreach script $scripts {
        # A connection that was lost has nothing to be given back.
        catch {{*}$script}
    }
}

# What SQLite does when another has what it needs: waits a little, or gives up when true. Who waits for long
# leaves the processors to those who work, and comes back at no regular time.
proc ::tls::CaDatabase::Waited {deadline count} {
    if {[clock milliseconds] >= $deadline} {
        return 1
    }
    after [expr {$count < 1 ? 2 : 10 + int(20 * rand())}]
    return 0
}

# ---- The tables -----------------------------------------------------------------------------------

# What the database says of the authority, once it is known that this file understands it; nothing if
# there is none. With a lock no other command that changes anything has one before the transaction ends.
proc ::tls::CaDatabase::State {database kind lock} {
    variable version
    variable dialects
    set row [lindex [Ask $database "
        SELECT (SELECT max(version) FROM tls_ca_version), serial, crl_number, unique_subject, last_list
        FROM tls_ca_state WHERE id = 1 [expr {$lock ? [dict get $dialects $kind @lock@] : {}}]
    "] 0]
    if {$row ne {} && [lindex $row 0] ne $version} {
        Unknown [lindex $row 0]
    }
    return [lrange $row 1 end]
}

# The version of the tables that are there.
proc ::tls::CaDatabase::Version {database} {
    return [lindex [Ask $database {SELECT max(version) FROM tls_ca_version}] 0 0]
}

# Says that the tables have a version that this file doesn't know.
proc ::tls::CaDatabase::Unknown {found} {
    variable version
    throw [list TLS CA DATABASE version $found] \
        "the database has version $found of the schema, and this package knows $version"
}

# Says that there is no authority.
proc ::tls::CaDatabase::Absent {} {
    throw {TLS CA DATABASE absent} "the database has no authority: tls::ca -import makes one"
}

# Raises an error again, unless the database has no authority, or one of another version: then says that.
proc ::tls::CaDatabase::Explain {database kind message options} {
    variable version
    if {![catch {Present $database $kind tls_ca_version} present] && !$present} {
        Absent
    }
    if {![catch {Version $database} found] && $found ne $version} {
        if {$found eq {}} {
            Absent
        }
        Unknown $found
    }
    return -options $options $message
}

# Whether there is a table of this name.
proc ::tls::CaDatabase::Present {database kind name} {
    set sql [dict get {
        sqlite3 {SELECT name FROM sqlite_master WHERE lower(name) = :name}
        postgres {SELECT 1 WHERE to_regclass(:name) IS NOT NULL}
        mysql {
            SELECT 1 FROM information_schema.tables
            WHERE table_schema = DATABASE() AND table_name = :name
        }
    } $kind]
    return [expr {[llength [Ask $database $sql [dict create name $name]]] > 0}]
}

# Makes the tables.
proc ::tls::CaDatabase::Tables {database kind} {
    variable dialects
    variable schema
    foreach name {tls_ca_state tls_ca_certificate} column {changes subject_hash} {
        if {![Present $database $kind $name]} {
            continue
        }
        # In MySQL a command that died can have left one, empty. Whatever else has this name is somebody else's.
        set ours [expr {
            $kind eq "mysql" && ![catch {
                Ask $database "SELECT $column FROM $name LIMIT 1"
            } rows] && [llength $rows] == 0
        }]
        if {!$ours} {
            throw [list TLS CA DATABASE foreign $name] \
                "the database has a table \"$name\" that is none of an authority's"
        }
        $database allrows "DROP TABLE $name"
    }
    foreach statement $schema {
        $database allrows [string map [dict get $dialects $kind] $statement]
    }
}

# ---- Questions ------------------------------------------------------------------------------------

# The rows that a statement gives, as lists. The statement is prepared once.
proc ::tls::CaDatabase::Ask {database sql {values {}}} {
    namespace upvar [info object namespace $database] tlsStatements statements
    if {![info exists statements($sql)]} {
        set statements($sql) [$database prepare $sql]
    }
    set result [$statements($sql) execute $values]
    try {
        set rows {}
        while {[$result nextlist row]} {
            lappend rows $row
        }
        return $rows
    } finally {
        $result close
    }
}

# The rows of a question about the next records in the order of their ends, behind an end and a place: first
# those that have the same end, and when there are none of them, the others. So a database finds where
# they begin by its index, however many have the same end.
proc ::tls::CaDatabase::Behind {database question records values} {
    variable readAtOnce
    foreach behind {{expires = :expires AND place > :place} {expires > :expires}} {
        set rows [Ask $database [format $question \
            "$records AND $behind ORDER BY expires, place LIMIT $readAtOnce"] $values]
        if {[lindex $rows 0 0] ne {}} {
            break
        }
    }
    return $rows
}

# The marks of bound variables for a list of values, and the dict that binds them.
proc ::tls::CaDatabase::Among {list} {
    set marks {}
    set values {}
    set number 0
    foreach value $list {
        incr number
        lappend marks :v$number
        dict set values v$number $value
    }
    return [list [join $marks ,] $values]
}

# Adds a few records by one statement.
proc ::tls::CaDatabase::Add {database rows} {
    variable columns
    set groups {}
    set values {}
    set number 0
    foreach row $rows {
        set marks {}
        foreach column {a b c d e f g h i} value $row {
            # An empty certificate stays unbound, which is NULL.
            lappend marks :$column$number
            if {$column ne "i" || $value ne {}} {
                dict set values $column$number $value
            }
        }
        lappend groups ([join $marks ,])
        incr number
    }
    Ask $database "INSERT INTO tls_ca_certificate ([join $columns ,]) VALUES [join $groups ,]" $values
    return
}
