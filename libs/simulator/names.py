"""Names for made-up pupils and schools. Any likeness to a living child is chance."""

GIVEN = tuple(
    "Aaliyah Adam Aisha Alfie Amara Amelia Anaya Archie Arjun Ava Ayaan Bella Callum Chidi Chloe "
    "Daisy Dylan Eden Ella Elsie Emeka Ethan Eva Farah Finley Freya George Grace Hamza Hana Harper "
    "Harry Ibrahim Imogen Isaac Isla Ivy Jack Jada Jasmine Jayden Kai Kasia Keira Layla Leo Lily "
    "Logan Lucas Luna Maryam Mason Maya Mia Milo Mohammed Nia Niamh Noah Nour Oliver Omar Oscar "
    "Poppy Priya Quinn Rayan Reuben Rosie Ruby Sana Seren Sofia Taylor Theo Tomasz Uma Violet "
    "Willow Yusuf Zac Zara".split()
)
FAMILY = tuple(
    "Abara Ainsworth Akhtar Ashdown Aylward Bagley Banerjee Barwell Begum Birchall Blackwood "
    "Boateng Brackley Bramhall Calloway Chaudhry Chigwell Clough Coldwell Cropper Dalgleish "
    "Danjuma Darlow Dhillon Dunmore Eastgate Ellershaw Fairweather Farooq Fenwick Gadsby Garside "
    "Ghosh Greatorex Hadley Halloran Hardcastle Hashmi Holloway Hussain Iqbal Jagger Jankowski "
    "Kaminski Kendrick Khalid Kirkbride Langthorne Lockwood Mahmood Marlowe Mensah Mistry Nadeem "
    "Netherton Nowak Oakden Okafor Olusola Ormerod Osei Patel Pemberton Petrescu Quarshie Radcliff "
    "Rahman Redfern Rowntree Sandhu Shackleton Siddiqui Stainthorp Swinburn Tattersall Thackeray "
    "Uddin Underhill Vasquez Wadsworth Warsame Westbrook Whitlock Wolfenden Yardley Zaman".split()
)
PLACES = tuple(
    "Alder Ashgrove Beckside Bellfield Birchwood Brookvale Castlegate Cedar Copperfield Elmhurst "
    "Fernhill Foxglove Greenway Hawthorn Heathfield Hillcrest Kestrel Larkspur Lindenwood "
    "Marlpit Meadowbank Millstone Northmoor Oakfield Orchard Primrose Quarry Ridgeway Riverside "
    "Rowan Saltersgate Skylark Southbrook Thornbury Tollgate Upland Waterside Wheatley Willowbank "
    "Yewtree".split()
)
