--- script
require ["index","fileinto","date"];
if header :index 1 "x-n" "one" { fileinto "1"; }
if header :index 1 :last "x-n" "three" { fileinto "2"; }
if header :index 4 :contains "x-n" "" { fileinto "3"; }
if date :index 1 :last "received" "day" "01" { fileinto "4"; }
--- message
Received: from a by b; Wed, 02 Dec 2026 00:00:00 +0000
Received: from c by d; Tue, 01 Dec 2026 00:00:00 +0000
X-N: one
X-N: two
X-N: three

x
--- expect
fileinto 1
fileinto 2
fileinto 4
