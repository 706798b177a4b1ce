# ca-helpers.tcl -- what the tests of tls::ca share: authorities made for a test, and comparisons
# with openssl ca.

source [file join [file dirname [info script]] ca-configuration.tcl]

namespace eval authority {
    namespace import ::helpers::bytes

    # The folder of the keys that all authorities of one test file share.
    variable keys {}
}

# authority::keys --
#       Makes the keys, requests and the certificate that authorities share, once per test file.
#
# Results:
#       The folder they are in.
proc authority::keys {} {
    variable keys
    if {$keys ne {}} {
        return $keys
    }
    set keys [tcltest::makeDirectory ca-keys]
    set config [file join $keys req.cnf]
    tcltest::makeFile {
        [req]
        distinguished_name = dn
        prompt = no
        [dn]
        [ca]
        basicConstraints = critical, CA:TRUE
        subjectKeyIdentifier = hash
        [asks]
        subjectAltName = DNS:asked.example.org
        keyUsage = keyAgreement
        [wants]
        basicConstraints = CA:TRUE
    } $config
    # RSA signatures are deterministic, so that certificates can be compared byte by byte.
    Openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out ca.key
    Openssl req -x509 -config req.cnf -extensions ca -key ca.key -out ca.pem -days 20000 \
        -set_serial 4711 -subj "/C=DE/O=Trial/CN=Trial CA"
    Openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out leaf.key
    Openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:512 -out weak.key
    foreach {name subject options} {
        plain /C=DE/O=Trial/OU=Tests/CN=plain/emailAddress=plain@example.org {}
        other /C=FR/O=Other/CN=other {}
        multi /O=Trial/OU=one+OU=two/CN=multi {-multivalue-rdn}
        asks /O=Trial/CN=asks {-reqexts asks}
        wants /O=Trial/CN=wants {-reqexts wants}
        nocn /O=Trial {}
        umlaut /O=Trial/CN=M\u00fcller {-utf8}
    } {
        Openssl req -new -config req.cnf -key leaf.key -out $name.req -subj $subject {*}$options
    }
    Openssl req -new -config req.cnf -key ca.key -out self.req -subj /C=DE/O=Trial/CN=self
    Openssl req -new -config req.cnf -key weak.key -out weak.req -subj /O=Trial/CN=weak
    Openssl req -in plain.req -outform DER -out plain.der
    Openssl req -x509 -config req.cnf -key leaf.key -out signed.pem -days 9 -subj /O=Trial/CN=signed
    set spkac [Openssl spkac -key leaf.key -challenge x -digest sha256]
    Write spkac.txt "$spkac\nC=DE\nO=Trial\nCN=spkac\n0.OU=one\n1.OU=two\n"
    # One byte of the signature is another one.
    set broken [Read plain.der]
    Write broken.der "[string range $broken 0 end-1][expr {[string index $broken end] eq "x" ? "y" : "x"}]"
    return $keys
}

# Runs openssl in the folder of the keys.
proc authority::Openssl {args} {
    variable keys
    set here [pwd]
    cd $keys
    try {
        return [exec -ignorestderr openssl {*}$args 2>/dev/null]
    } finally {
        cd $here
    }
}

# Reads and writes files in the folder of the keys.
proc authority::Read {name} {
    variable keys
    return [bytes [file join $keys $name]]
}
proc authority::Write {name content} {
    variable keys
    put [file join $keys $name] $content
}

# authority::put --
#       Writes a whole file.
proc authority::put {path content} {
    set file [open $path wb]
    try {
        puts -nonewline $file $content
    } finally {
        close $file
    }
}

# authority::make --
#       Makes an authority in a folder of its own.
#
# Arguments:
#       name            the folder's name
#       configuration   its configuration; by default the one above
#
# Results:
#       The folder.
proc authority::make {name {configuration {}}} {
    if {$configuration eq {}} {
        set configuration $::authority::configuration
    }
    set folder [file join [tcltest::temporaryDirectory] $name]
    file delete -force $folder
    file mkdir [file join $folder newcerts]
    foreach file [glob -directory [keys] *] {
        file copy $file $folder
    }
    put [file join $folder serial] 0A\n
    put [file join $folder crlnumber] 01\n
    put [file join $folder index.txt] {}
    put [file join $folder ca.cnf] $configuration
    return $folder
}

# authority::ours, authority::theirs --
#       Run tls::ca, or openssl ca, in an authority's folder.
#
# Arguments:
#       folder  the folder
#       args    the words behind the command's name
#
# Results:
#       The result, or for openssl ca its standard output.
#
# Errors:
#       Those of tls::ca; an exit status other than 0.
proc authority::ours {folder args} {
    set here [pwd]
    cd $folder
    try {
        return [uplevel 1 [list tls::ca -config ca.cnf {*}$args]]
    } finally {
        cd $here
    }
}
proc authority::theirs {folder args} {
    set here [pwd]
    cd $folder
    set pipe [open |[list openssl ca -batch -config ca.cnf {*}$args 2>/dev/null </dev/null] rb]
    cd $here
    try {
        return [read $pipe]
    } finally {
        close $pipe
    }
}

# authority::state --
#       Everything that openssl ca would see of an authority.
#
# Arguments:
#       folder  the folder
#
# Results:
#       A dict of file names and contents; the time of a revocation is only NOW.
proc authority::state {folder} {
    set state {}
    foreach path [lsort [glob -nocomplain -directory $folder index.txt* serial* crlnumber* out* \
        newcerts/*]] {
        set name [string range $path [string length $folder/] end]
        if {$name in {index.txt.journal index.txt.lastcrl index.txt.side}} {
            continue
        }
        set content [bytes $path]
        if {[string match index.txt* $name]} {
            regsub -all -line {^(R\t\d+Z\t)\d+Z} $content {\1NOW} content
        }
        if {[string match *X509\ CRL* $content]} {
            set content [Crl $path]
        }
        dict set state $name $content
    }
    return $state
}

# A revocation list as text, without what depends on the time of a revocation.
proc authority::Crl {path} {
    set text [exec openssl crl -in $path -noout -text]
    regsub -all {Revocation Date: [^\n]*} $text {Revocation Date: NOW} text
    regsub {Signature Value.*} $text {} text
    return $text
}

# authority::worker --
#       Makes the script that points and killed run in an authority's folder.
#
# Arguments:
#       folder      the folder
#       words       what the command gets besides the operation
#       before      a script that it runs before
#
# Results:
#       None.
proc authority::worker {folder {words {-config ca.cnf}} {before {}}} {
    put $folder/worker.tcl "
        set dir [list $::helpers::folder]
        source \[file join \$dir pkgIndex.tcl\]
        package require tls
        $before
        tls::ca $words {*}\$argv
    "
}

# authority::points --
#       Finds out where an operation can be killed.
#
# Arguments:
#       folder      the folder, which has a worker
#       calls       the system calls at which it can, with commas between
#       operation   the operation's words
#
# Results:
#       The calls in their order, each with its number among those of its kind and its thread, which is
#       what strace counts.
proc authority::points {folder calls operation} {
    Traced $folder $calls {} $operation
    set points {}
    foreach line [split [bytes $folder/trace] \n] {
        if {[regexp {^(\d+) +(\w+)\(} $line -> thread call]} {
            lappend points [list $call [incr counts($thread,$call)]]
        }
    }
    return $points
}

# authority::killed --
#       Runs an operation and kills it.
#
# Arguments:
#       folder      the folder, which has a worker
#       calls       as for points
#       point       one of what points gave
#       operation   the operation's words
#
# Results:
#       Whether it was killed; else it has come to its end.
proc authority::killed {folder calls point operation} {
    lassign $point call count
    return [Traced $folder $calls [list -e inject=$call:signal=KILL:when=$count] $operation]
}

# Runs an operation in a process of its own, under strace with some words. Tells whether it was killed.
proc authority::Traced {folder calls words operation} {
    set here [pwd]
    cd $folder
    set failed [catch {
        exec strace -f -qq -o trace -e trace=$calls {*}$words [info nameofexecutable] worker.tcl \
            {*}$operation 2>@1
    } said options]
    cd $here
    if {!$failed} {
        return 0
    }
    if {[lindex [dict get $options -errorcode] 0] ne "CHILDKILLED"} {
        error $said
    }
    return 1
}

# authority::tarrying --
#       Starts an operation in a process of its own that takes three seconds to give a file its name.
#
# Arguments:
#       folder      the folder, which has a worker
#       file        the file
#       operation   the operation's words
#
# Results:
#       The program's handle. Its attempts are in the file "trace".
proc authority::tarrying {folder file operation} {
    set words [list -P [file join $folder $file] -e trace=rename,renameat,renameat2 \
        -e inject=rename,renameat,renameat2:delay_enter=3000000]
    # What is loaded along with tclsh isn't for strace, but for what it starts.
    if {[info exists ::env(LD_PRELOAD)]} {
        lappend words -E LD_PRELOAD=$::env(LD_PRELOAD)
    }
    set here [pwd]
    cd $folder
    set worker [helpers::start strace -f -qq -o trace {*}$words [info nameofexecutable] worker.tcl \
        {*}$operation]
    cd $here
    return $worker
}

# authority::said --
#       Tells what a revocation list says, which must be whole, and the authority's.
#
# Arguments:
#       folder  the authority's folder
#       file    the list's file in it
#
# Results:
#       A list: its number, and the serial numbers in it.
#
# Errors:
#       When it isn't whole, or somebody else's.
proc authority::said {folder file} {
    set text [exec openssl crl -in $folder/$file -text -noout -CAfile $folder/ca.pem 2>@1]
    if {![regexp {verify OK} $text] || ![regexp {CRL Number: \n +(\d+)} $text -> number]} {
        error "$file: $text"
    }
    return [list $number [lmap {- serial} [regexp -all -inline {Serial Number: (\S+)} $text] {set serial}]]
}

# authority::listed --
#       Waits for processes that make revocation lists (ca-lister.tcl), and looks their lists over.
#
# Arguments:
#       folder      the authority's folder
#       listers     a dict of the processes' names and handles
#
# Results:
#       A list: what is wrong, how many lists there are, how many numbers they have, and how often one that has a
#       higher number lacks what one with a lower number has.
proc authority::listed {folder listers} {
    set wrong {}
    set lists {}
    dict for {name lister} $listers {
        lassign [helpers::ended $lister] status text
        # What one process is told goes up, and its files say the same.
        set told [lmap {- number} [regexp -all -inline -line {^list (\w+)$} $text] {scan $number %x}]
        if {$status != 0 || $told ne [lsort -integer -unique $told]} {
            lappend wrong [list $name $status $text]
        }
        foreach file [lsort -dictionary [glob -directory $folder -tails $name.*.crl]] number $told {
            lassign [said $folder $file] written entries
            if {$written ne $number} {
                lappend wrong [list $file $written $number]
            }
            lappend lists $written $entries
        }
    }
    set gone 0
    set before {}
    foreach {- entries} [lsort -integer -stride 2 $lists] {
        foreach serial $before {
            incr gone [expr {$serial ni $entries}]
        }
        set before $entries
    }
    return [list $wrong [expr {[llength $lists] / 2}] [llength [lsort -unique [dict keys $lists]]] $gone]
}

# authority::differences --
#       Carries out the same words in two authorities by the two programs and compares.
#
# Arguments:
#       one     the folder for tls::ca
#       other   the folder for openssl ca
#       words   the words
#
# Results:
#       What differs, nothing if nothing does.
proc authority::differences {one other words} {
    set found {}
    set ours [catch {ours $one {*}$words} ourResult ourOptions]
    set theirs [catch {theirs $other {*}$words} theirResult]
    if {$ours != $theirs} {
        return "tls::ca: $ourResult, openssl: $theirResult"
    }
    if {!$ours && ![string match *X509\ CRL* $ourResult] && $ourResult ne $theirResult} {
        append found "results differ: <$ourResult> <$theirResult>\n"
    }
    set first [state $one]
    set second [state $other]
    foreach name [lsort -unique [concat [dict keys $first] [dict keys $second]]] {
        set a [expr {[dict exists $first $name] ? [dict get $first $name] : "missing"}]
        set b [expr {[dict exists $second $name] ? [dict get $second $name] : "missing"}]
        if {$a ne $b} {
            append found "$name: <$a> <$b>\n"
        }
    }
    return $found
}

tcltest::testConstraint strace [expr {
    [helpers::program strace] ne {} && ![catch {
        exec strace -o /dev/null true
    }]
}]
