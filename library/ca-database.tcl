# ca-database.tcl --
#       The database side of tls::ca where -database is a TDBC connection: all SQL, and nothing else.
#       What is asked and changed is decided natively, which calls tls::CaDatabase. Transactions are in
#       ca-transaction.tcl, the tables in ca-schema.tcl.
#
# Values reach the database as bound variables only. What a statement says besides is written here,
# with numbers that this file has counted or computed. Statements are prepared once per connection, and kept in the
# connection's own namespace, so that they go with it.

# The commands of the ensemble have the connection as their first argument.
namespace eval ::tls::CaDatabase {
    # How many records one statement adds, looks for or reads.
    variable addedAtOnce 50
    variable soughtAtOnce 100
    variable readAtOnce 5000

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
