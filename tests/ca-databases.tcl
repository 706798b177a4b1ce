# ca-databases.tcl -- databases for the tests of tls::ca: SQLite, and servers of PostgreSQL and MariaDB
# that a test file starts for itself and that end with it.

namespace eval databases {
    # How to connect to each kind that is there: the driver, and what its connection is made with.
    variable kinds {}

    # The handles of the servers.
    variable servers {}

    # The folder of everything; its name is short because it is that of a socket, too.
    variable folder {}

    # How many databases there were.
    variable count 0

    # How to connect to the last one that was made, and its kind.
    variable connect {}
    variable made files

    # What the index of an authority in a database begins with: records of all kinds, some strange.
    variable records [join {
        "V\t310101000000Z\t\t01\tunknown\t/O=Trial/CN=valid"
        "V\t20550101000000Z\t\t02\tunknown\t/O=Trial/CN=beyond 2049"
        "R\t310101000000Z\t200101000000Z,keyCompromise\t03\tunknown\t/O=Trial/CN=revoked"
        "R\t310101000000Z\t200102000000Z,holdInstruction,holdInstructionReject\t040000\tunknown\t/CN=held"
        "R\t310101000000Z\t200103000000Z,CAkeyTime,20190101000000Z\t05\tunknown\t/CN=since"
        "E\t200101000000Z\t\t06\tunknown\t/O=Trial/CN=expired"
        "V\t200101000000Z\t\t07\tunknown\t/O=Trial/CN=ended"
        "V\t200102000000Z\t\t-08\tunknown\t/O=Trial/CN=ended, too"
        "V\t310101000000Z\t\tFF00FF00FF00FF00FF00FF00FF00FF00FF00FF00\tunknown\t/CN=long"
        "V\t310101000000Z\t\tABCDEF\tfile \\\twith tab\t/CN=x\\x0A\\\ty'; DROP TABLE tls_ca_state; --"
        "V\t310101000000Z\t\t09\tunknown\t/CN=M\\xC3\\xBCller \$dollar :colon {brace} \[bracket\]"
    } \n]\n

    # Runs a server until its standard input ends.
    variable keeper {
        folder=$1 signal=$2
        shift 2
        "$@" >"$folder/log" 2>&1 &
        server=$!
        echo started
        cat >/dev/null
        kill -s "$signal" $server
        wait $server
        rm -rf "$folder"
    }
}

# databases::open --
#       Starts what there is.
#
# Arguments:
#       durable     whether servers bring everything to the disk as they do elsewhere; what the machine's
#                   end would do isn't tested, and it takes long
#
# Results:
#       The kinds, each of which is also a constraint: sqlite3, postgres, mysql.
proc databases::open {{durable 0}} {
    variable kinds
    variable folder
    foreach kind {sqlite3 postgres mysql} {
        tcltest::testConstraint $kind 0
        if {[catch {package require tdbc::$kind}]} {
            continue
        }
        set folder [exec mktemp -d -p /tmp]
        file attributes $folder -permissions 0755
        if {[catch {Open $kind $durable} connection]} {
            # A server that isn't there is one thing, one that doesn't start another.
            file delete -force $folder
            end
            error "can't start $kind: $connection"
        }
        if {$connection ne {}} {
            dict set kinds $kind $connection
            tcltest::testConstraint $kind 1
        } else {
            file delete -force $folder
        }
    }
    return [dict keys $kinds]
}

# Starts one kind; gives how to connect to it, or nothing if there is no such server.
proc databases::Open {kind durable} {
    variable folder
    switch $kind {
        sqlite3 {
            return [list $folder]
        }
        postgres {
            return [Postgres $durable]
        }
        mysql {
            return [Mysql $durable]
        }
    }
}

# Starts PostgreSQL, which refuses to run as root.
proc databases::Postgres {durable} {
    variable folder
    set programs [lindex [lsort -dictionary [glob -nocomplain /usr/lib/postgresql/*/bin]] end]
    if {![file executable [file join $programs postgres]]} {
        return {}
    }
    set data [file join $folder data]
    set as [Unprivileged]
    exec {*}[helpers::alone {*}$as [file join $programs initdb] -D $data -A trust -U ca --no-sync] \
        </dev/null 2>@1
    # It has nothing to write down at its end that isn't removed with its folder.
    Start QUIT {*}$as [file join $programs postgres] -D $data -c listen_addresses= -c fsync=$durable \
        -c unix_socket_directories=$folder -c max_connections=40
    set options [list -host $folder -user ca -db postgres]
    helpers::until {expr {![catch {tdbc::postgres::connection create ::probe {*}$options}]}}
    ::probe close
    return $options
}

# Starts MariaDB or MySQL, without the tables of its own that hold users and rights.
proc databases::Mysql {durable} {
    variable folder
    set program [helpers::program mariadbd]
    if {$program eq {}} {
        return {}
    }
    set data [file join $folder data]
    set socket [file join $folder sock]
    set as [Unprivileged]
    file mkdir $data
    if {[llength $as]} {
        file attributes $data -owner nobody
    }
    # A server that was only unpacked has its messages beside it.
    set messages [file join [file dirname $program] .. share mysql]
    Start KILL {*}$as $program --no-defaults --datadir=$data --socket=$socket --skip-networking \
        --skip-grant-tables --innodb-flush-log-at-trx-commit=$durable --lc-messages-dir=$messages \
        --pid-file=[file join $data pid] --tmpdir=$data
    helpers::until {
        expr {![catch {tdbc::mysql::connection create ::probe -socket $socket -user root}]}
    }
    ::probe close
    return [list -socket $socket -user root]
}

# The words that run a program as somebody else than root.
proc databases::Unprivileged {} {
    variable folder
    if {[exec id -u] != 0} {
        return {}
    }
    set user nobody
    file attributes $folder -owner $user
    return [list setpriv --reuid=$user --clear-groups --]
}

# Starts a server.
proc databases::Start {signal args} {
    variable keeper
    variable servers
    variable folder
    set server [helpers::start sh -c $keeper sh $folder $signal {*}$args]
    lappend servers $server
    helpers::said $server started
}

# databases::make --
#       Makes an empty database.
#
# Arguments:
#       kind    its kind
#
# Results:
#       The command that connects to it, but for the name of the connection between its words.
proc databases::make {kind} {
    variable kinds
    variable count
    set connection [dict get $kinds $kind]
    set name ca[incr count]
    switch $kind {
        sqlite3 {
            return [list tdbc::sqlite3::connection create @ [file join $connection $name.db]]
        }
        postgres {
            # A schema of its own is as good as a database.
            tdbc::postgres::connection create ::probe {*}$connection
            try {
                ::probe allrows "CREATE DATABASE $name"
            } finally {
                ::probe close
            }
            return [list tdbc::postgres::connection create @ {*}[dict replace $connection -db $name]]
        }
        mysql {
            tdbc::mysql::connection create ::probe {*}$connection
            try {
                ::probe allrows "CREATE DATABASE $name"
            } finally {
                ::probe close
            }
            return [list tdbc::mysql::connection create @ {*}$connection -db $name]
        }
    }
}

# databases::connect --
#       Connects to a database.
#
# Arguments:
#       command     what make gave
#       name        the connection's name
#
# Results:
#       The name.
proc databases::connect {command {name ::db}} {
    return [{*}[lmap word $command {expr {$word eq "@" ? $name : $word}}]]
}

# databases::ask --
#       Asks a database directly.
#
# Arguments:
#       sql     the question
#
# Results:
#       The values of all rows in one list.
proc databases::ask {sql} {
    return [concat {*}[::db allrows -as lists $sql]]
}

# databases::authority --
#       Makes an authority that has the records.
#
# Arguments:
#       name            the folder's name
#       kind            files, or the kind of the database that it is imported into; the connection is
#                       then ::db
#       configuration   its configuration, if it isn't the usual one
#
# Results:
#       The folder.
proc databases::authority {name kind {configuration {}}} {
    variable records
    variable connect
    variable made $kind
    set folder [authority::make $name $configuration]
    authority::put $folder/index.txt [encoding convertto utf-8 $records]
    authority::put $folder/serial 10\n
    if {$kind ne "files"} {
        set connect [make $kind]
        connect $connect
        authority::ours $folder -import -database ::db
    }
    return $folder
}

# databases::ca --
#       Runs tls::ca on an authority, wherever it is.
#
# Arguments:
#       folder  the folder
#       args    the words behind the command's name
#
# Results:
#       The result.
#
# Errors:
#       Those of tls::ca.
proc databases::ca {folder args} {
    set database [expr {[info commands ::db] ne {} ? {-database ::db} : {}}]
    return [uplevel 1 [list authority::ours $folder {*}$database {*}$args]]
}

# databases::outcome --
#       Runs tls::ca and tells what came of it.
#
# Arguments:
#       folder  the folder
#       args    the words behind the command's name
#
# Results:
#       The result, PEM for a certificate or list, or the error's code.
proc databases::outcome {folder args} {
    if {[catch {ca $folder {*}$args} result options]} {
        return [lrange [dict get $options -errorcode] 0 4]
    }
    return [expr {[string match -----BEGIN* $result] ? "PEM" : $result}]
}

# databases::launch --
#       Starts a process that issues certificates, each with a subject of its own, from the authority that
#       was made last.
#
# Arguments:
#       folder  the authority's folder
#       name    what the subjects begin with
#       count   how many; below zero, some are revoked and lists are made, too
#       script  what it does, if that is something else
#
# Results:
#       Its handle.
proc databases::launch {folder name count {script ca-worker.tcl}} {
    variable made
    variable connect
    return [helpers::start [info nameofexecutable] [file join $helpers::root tests $script] \
        $::helpers::folder $folder $name $count {*}[expr {
            $made eq "files" ? {} : [list $made [lmap word $connect {
                expr {$word eq "@" ? "::db" : $word}
            }]]
        }]]
}

# databases::forget --
#       Removes an authority and closes its connection.
#
# Arguments:
#       folder  the folder
#
# Results:
#       None.
proc databases::forget {folder} {
    catch {::db close}
    file delete -force $folder
}

# databases::end --
#       Ends all servers.
#
# Results:
#       None.
proc databases::end {} {
    variable servers
    variable kinds
    foreach server $servers {
        close $server write
        helpers::ended $server
    }
    if {[dict exists $kinds sqlite3]} {
        file delete -force {*}[dict get $kinds sqlite3]
    }
}
